"""The miniature study with the real science: from nothing to a published report, by `snakemake`."""

import csv
import shutil

import pandas as pd
import pytest
from workflow_support import StudyFolder

from emsteer import notebook, schemas, storage
from emsteer.errors import DataError
from emsteer.plan import KINDS


def test_a_run_ends_with_a_published_report(real: StudyFolder) -> None:
    named = {"index.html", "metrics.json", "headline.json", "tables/rates.csv", "figures/dose_response.svg"}
    assert {f"reports/{name}" for name in named} <= set(real.reports())
    assert "nothing to compute" in real.run("emsteer", "plan", "--status")


def test_witnesses_say_something_of_every_setting_and_a_number_of_theirs_is_followed_to_its_answers(real: StudyFolder) -> None:
    rows = list(csv.DictReader((real.path / "reports/tables/witnesses.csv").open()))
    assert {row["metric"] for row in rows} == {"copying", "loops", "margin"} and {row["judge"] for row in rows} == {"none"}
    counted = csv.DictReader((real.path / "reports/tables/rates.csv").open())
    assert {row["setting"] for row in rows} == {row["setting"] for row in counted}
    assert "<svg" in (real.path / "reports/index.html").read_text().partition("<h2>Witnesses</h2>")[2].partition("<h2>")[0]
    setting = rows[-1]["setting"]
    found = real.run("emsteer", "lineage", f"reports/tables/witnesses.csv#{setting}")
    assert "4 witnesses" in found and "2 answers" in found, "two blocks, two witnesses, and nothing of other settings"


def test_a_notebook_loads_every_answer_with_its_scores_and_its_rates_are_the_published_ones(real: StudyFolder) -> None:
    judged = notebook.table("judged", real.path)
    assert len(judged) == sum(
        schemas.read(path, schemas.Scores).shape[0] for path in (real.path / "results/scores").glob("mini*.parquet")
    ), "and no anchor"
    assert all((real.path / f"results/answers/{name}.parquet").exists() for name in judged["answers"].unique())
    of = judged[judged["judged"] & judged["relation"].ne("in_domain") & judged["split"].eq("test")]
    published = pd.read_csv(real.path / "reports/tables/rates.csv").query("split == 'test' and group == 'off_domain'")
    rates = published.set_index("setting")["on_topic_em"]
    assert of.groupby("setting")["on_topic_em"].mean().to_dict() == pytest.approx(rates.to_dict(), abs=1e-5) and len(rates) > 3
    with pytest.raises(DataError, match=r"(?s)rate: no table of this study.*rates"):
        notebook.table("rate", real.path)
    shutil.rmtree(next(path for path in (real.path / "results/tables").glob("rates--*") if path.is_dir()))
    with pytest.raises(DataError, match=r"rates--.*not there"):
        notebook.table("rates", real.path)


def test_answers_made_again_have_the_same_bytes(real: StudyFolder) -> None:
    before = real.cells()
    victim = next((real.path / "results/answers").glob("*.a1.*.parquet"))
    digest = storage.sha256(victim)
    victim.unlink()
    real.run("snakemake", "--cores", "2")
    assert real.computed(before) == {"answers": 1}, "and their readers are not made again"
    assert storage.sha256(victim) == digest


def test_dose_zero_is_the_base_answer_itself(real: StudyFolder) -> None:
    answers = real.path / "results/answers"
    for block in ("b0", "b1"):
        base = storage.read_parquet(next(answers.glob(f"mini.base.everyday.{block}--*.parquet")))
        zero = storage.read_parquet(next(answers.glob(f"mini.gardening.trained.s0.l1.e2.a0.everyday.{block}--*.parquet")))
        assert base["text"].tolist() == zero["text"].tolist()
        assert [list(ids) for ids in base["token_ids"]] == [list(ids) for ids in zero["token_ids"]]


def test_every_artifact_holds_the_bytes_of_its_run_record_and_names_those_that_it_was_made_from(real: StudyFolder) -> None:
    plan = {path.stem: storage.read_json(path) for path in (real.path / "plan").glob("*.json")}
    paths = {name: real.path / f"results/{kind}/{name}{KINDS[kind].suffix}" for kind, cells in plan.items() for name in cells}
    digests = {name: storage.sha256(path) for name, path in paths.items()}
    for name, path in paths.items():
        assert storage.read_json(path.with_name(f"{path.name}.run.json"))["sha256"] == digests[name], path
        read = {made: digest for group in storage.read_passport(path)["inputs"].values() for made, digest in group.items()}
        assert {made: digest for made, digest in read.items() if made in digests}.items() <= digests.items(), path
    assert "are sound" in real.run("emsteer", "verify")
