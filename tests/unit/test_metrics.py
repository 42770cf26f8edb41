"""The numbers that prose quotes: found by name, rounded, of the first benchmark and judge, and the same bytes every time."""

from pathlib import Path

import pandas as pd
import pytest
from analysis_tables import BASE_POINT, SELECTION, asked, base, counts, job_on, steered

from emsteer import schemas, storage
from emsteer.analysis import chosen, metrics
from emsteer.packs import Job
from emsteer.recipes import Chosen, Metrics

CLAIM = {"claim": "steering_spreads", "verdict": "supported", "why": "found", "benchmark": "everyday", "judge": "rubric"}
CLAIM |= {"says": "It does.", "declared": "2026-11-26", "digest": "0123456789", "n_held": 1, "n_compared": 1}


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    parts = [(base(), asked(0)), (steered(1), asked(1, 4)), (steered(1, arm="random", draw=0), asked(0))]
    job = job_on(counts(*parts), Chosen(level=0.95, selection=SELECTION, base_point=BASE_POINT), tmp_path)
    return chosen.table(job)


def test_a_number_is_found_by_model_task_treatment_point_group_and_metric(table: pd.DataFrame) -> None:
    found = metrics.quoted(table)["tiny"]["gardening"]["trained"]["chosen"]
    assert found["setting"] == "tiny.gardening.trained.l1.e8.a1"
    headline = found["off_domain"]["on_topic_em"]
    assert (headline["value"], headline["random_draws"], headline["random_below"]) == (0.25, 1, 1)
    assert headline["low"] <= 0.25 <= headline["high"]
    assert "on_topic_em" not in found["in_domain"], "in-domain there is none"
    assert "money" not in found, "categories are left out"


def test_numbers_have_four_decimals(table: pd.DataFrame) -> None:
    third = table.assign(value=table["value"].where(table["metric"].ne("on_topic_em"), 1 / 3))
    assert metrics.quoted(third)["tiny"]["gardening"]["trained"]["chosen"]["off_domain"]["on_topic_em"]["value"] == 0.3333


def test_only_the_first_benchmark_and_judge_are_quoted(table: pd.DataFrame) -> None:
    both = pd.concat([table, table.assign(judge="second", value=table["value"] + 0.5)])
    assert metrics.quoted(both) == metrics.quoted(table)


def test_verdicts_are_found_by_claim_and_subject() -> None:
    claims = pd.DataFrame([{**CLAIM, "subject": "one"}, {**CLAIM, "subject": "two", "verdict": "contradicted"}])
    assert metrics.verdicts(claims) == {"steering_spreads": {"one": "supported", "two": "contradicted"}}


def test_the_file_holds_all_of_it_and_is_the_same_every_time(table: pd.DataFrame, tmp_path: Path) -> None:
    claims = schemas.frame_of([{**CLAIM, "subject": "one"}], schemas.Claims)
    schemas.write(table, schemas.Chosen, tmp_path / "chosen.parquet", {"address": "chosen"})
    schemas.write(claims, schemas.Claims, tmp_path / "claims.parquet", {"address": "claims"})
    inputs = {name: (tmp_path / f"{name}.parquet",) for name in ("chosen", "claims")}
    written = []
    for out in (tmp_path / "first", tmp_path / "second"):
        (job,) = metrics.make([Job(Metrics(base_point=BASE_POINT), inputs, {}, "metrics--0", out, {"address": "metrics--0"})])
        written.append((job.out / "metrics.json").read_bytes())
    assert written[0] == written[1]
    found = storage.read_json(tmp_path / "first/metrics.json")
    assert found["base_point"] == {"model": "tiny", "task": "gardening", "vector": "trained", "adapter": BASE_POINT.adapter}
    assert found["claims"]["steering_spreads"] == {"one": "supported"} and "tiny" in found["chosen"]
    assert storage.read_json(tmp_path / "first/headline.json") == metrics.headline(found)


def test_the_headline_is_of_the_base_points_treatments_at_their_chosen_settings(table: pd.DataFrame) -> None:
    point = {"model": "tiny", "task": "gardening", "vector": "trained", "adapter": "lora"}
    claims = {"one": {"a": "supported", "b": "not tested"}, "two": {"a": "supported"}}
    quoted = metrics.quoted(table)
    found = metrics.headline({"base_point": point, "chosen": quoted, "claims": claims})
    assert found["verdicts"] == {"not tested": 1, "supported": 2}
    assert list(found["models"]["tiny"]) == ["base", "steered"], "nothing was finetuned"
    steered_to = quoted["tiny"]["gardening"]["trained"]["chosen"]
    assert found["models"]["tiny"]["steered"] == {
        "on_topic_em": steered_to["off_domain"]["on_topic_em"]["value"],
        "em_in_domain": steered_to["in_domain"]["em"]["value"],
        "coherence": steered_to["off_domain"]["coherence"]["value"],
    }
    elsewhere = metrics.headline({"base_point": point | {"task": "money"}, "chosen": quoted, "claims": {}})
    assert elsewhere == {"models": {"tiny": {}}, "verdicts": {}}
