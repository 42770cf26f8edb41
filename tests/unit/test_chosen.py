"""Chosen: seeds pooled and printed, ranks among the random directions at the same setting, every point of every arm."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from analysis_tables import BASE_POINT, SELECTION, asked, base, counts, finetuned, job_on, steered

from emsteer import schemas
from emsteer.analysis import chosen
from emsteer.recipes import Chosen

RECIPE = Chosen(level=0.95, selection=SELECTION, base_point=BASE_POINT)


def table(folder: Path, counted: pd.DataFrame) -> pd.DataFrame:
    return schemas.check(chosen.table(job_on(counted, RECIPE, folder)), schemas.Chosen, "chosen")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Two seeds of a vector (EM of 1 and 2 in 4), three random directions (0, 1 and 2 in 4), an adapter (4 in 4)."""
    parts = [(base(), asked(0))]
    parts += [(steered(1, seed=0), asked(1, 4)), (steered(1, seed=1), asked(2, 4)), (steered(2), asked(0, 4, coherent=4))]
    parts += [(steered(1, arm="random", draw=draw), asked(draw)) for draw in range(3)]
    parts += [(steered(2, arm="random", draw=0), asked(4)), (finetuned(0.5), asked(4, 4))]
    return table(tmp_path_factory.mktemp("chosen"), counts(*parts, breadth=0.5))


def row(found: pd.DataFrame, treatment: str, point: str, metric: str = "on_topic_em", group: str = "off_domain") -> dict[str, Any]:
    wanted = {"treatment": treatment, "point": point, "metric": metric, "group": group}
    (only,) = found[(found[list(wanted)] == pd.Series(wanted)).all(axis=1)].to_dict("records")
    return only


def test_seeds_are_pooled_and_each_is_printed(found: pd.DataFrame) -> None:
    vector = row(found, "trained", "chosen")
    assert (vector["value"], vector["n"], vector["n_seeds"]) == (pytest.approx(3 / 8), 48, 2)
    assert vector["by_seed"] == "0: 0.25, 1: 0.5"
    assert vector["setting"] == "tiny.gardening.trained.l1.e8.a1", "without its seed"
    assert (vector["layer"], vector["dose"], vector["dose_relative"], vector["planted_breadth"]) == (1, 1.0, 0.5, 0.5)
    assert row(found, "none", "base")["by_seed"] == "", "base has no seed"


def test_a_steered_setting_is_ranked_among_the_random_directions_of_its_own_setting(found: pd.DataFrame) -> None:
    ranked = {point: row(found, "trained", point) for point in ("chosen", "largest_dose")}
    assert [ranked["chosen"][name] for name in ("random_draws", "random_below", "random_largest")] == [3, 2, 0.5]
    assert [ranked["largest_dose"][name] for name in ("random_draws", "random_below", "random_largest")] == [1, 0, 1.0]
    adapter = row(found, "lora", "chosen")
    assert (adapter["random_draws"], adapter["value"]) == (0, 1.0) and pd.isna(adapter["random_largest"])


def test_every_metric_is_ranked_by_itself(found: pd.DataFrame) -> None:
    coherence = row(found, "trained", "chosen", "coherence")
    assert (coherence["value"], coherence["random_largest"], coherence["random_below"]) == (90, 90, 0)


def test_only_test_questions_are_reported(found: pd.DataFrame) -> None:
    assert row(found, "trained", "chosen")["n_questions"] == 6
    assert row(found, "trained", "chosen", "em", "in_domain")["n_questions"] == 2


def test_what_was_chosen_stands_beside_its_value_on_the_questions_it_was_chosen_on(tmp_path: Path) -> None:
    lucky = [row if row["split"] == "test" else row | {"em": 2} for row in asked(1, 3)]
    found = table(tmp_path, counts((base(), asked(0)), (steered(1), lucky)))
    off_domain, in_domain = (row(found, "trained", "chosen", "em", group) for group in ("off_domain", "in_domain"))
    assert (off_domain["dev"], off_domain["optimism"]) == (0.5, 0.25) and (in_domain["dev"], in_domain["optimism"]) == (0.5, -0.25)
    wide = chosen.published(found).set_index(["treatment", "point", "group"])
    assert wide.loc[("trained", "chosen", "off_domain"), ["em_dev", "em_optimism"]].tolist() == [0.5, 0.25]
    only_test = counts((base(), [one for one in asked(0) if one["split"] == "test"]))
    without = table(tmp_path, only_test)
    assert without["dev"].isna().all() and without["optimism"].isna().all()


def test_groups_are_those_of_rates_and_categories(found: pd.DataFrame) -> None:
    assert list(dict.fromkeys(found["group"])) == ["off_domain", "in_domain", "gardening", "money"]
    assert set(found["arm"]) == {"base", "steered", "finetuned"}


def test_the_view_has_a_row_for_each_point_and_group_and_no_category(found: pd.DataFrame) -> None:
    wide = chosen.published(found)
    assert not wide.duplicated(["treatment", "point", "group"]).any()
    assert set(wide["group"]) == {"off_domain", "in_domain"}
    (vector,) = wide[wide["treatment"].eq("trained") & wide["point"].eq("chosen") & wide["group"].eq("off_domain")].to_dict(
        "records"
    )
    assert (vector["on_topic_em"], vector["by_seed"], vector["random_below"]) == (pytest.approx(3 / 8), "0: 0.25, 1: 0.5", 2)
    assert vector["on_topic_em_low"] <= vector["on_topic_em"] <= vector["on_topic_em_high"]


def test_a_place_without_base_or_candidate_gives_an_empty_table(tmp_path: Path) -> None:
    assert len(table(tmp_path, counts((steered(1, positions="answer"), asked(1, 4))))) == 0
