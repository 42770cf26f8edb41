"""Evidence: which contrasts each claim rests on, and what a difference with its interval says."""

from pathlib import Path

import pandas as pd
import pytest
from analysis_tables import BASE_POINT, BOOTSTRAP, SELECTION, Row, asked, base, counts, finetuned, job_on, steered

from emsteer import schemas
from emsteer.analysis import evidence
from emsteer.analysis.evidence import finding
from emsteer.recipes import Evidence

RECIPE = Evidence(
    bootstrap=BOOTSTRAP, selection=SELECTION, base_point=BASE_POINT, smallest_effect=0.05, smallest_effect_points=5
)  # fmt: skip
Part = tuple[Row, list[Row]]


@pytest.mark.parametrize(
    ("difference", "low", "high", "expected"),
    [
        pytest.param(0.2, 0.1, 0.3, "yes", id="clear"),
        pytest.param(0.05, 0.001, 0.1, "yes", id="exactly the smallest effect"),
        pytest.param(0.049, 0.01, 0.08, "unclear", id="perhaps a small rise"),
        pytest.param(0.2, 0.0, 0.4, "unclear", id="from exactly zero"),
        pytest.param(0.2, -0.1, 0.4, "unclear", id="over zero"),
        pytest.param(0.01, -0.02, 0.05, "unclear", id="up to exactly the smallest effect"),
        pytest.param(0.01, -0.02, 0.049, "no", id="at most a small rise"),
        pytest.param(0.03, 0.01, 0.049, "no", id="surely a small rise"),
        pytest.param(-0.3, -0.4, -0.2, "no", id="a fall"),
    ],
)
def test_every_branch_of_a_finding(difference: float, low: float, high: float, expected: str) -> None:
    assert finding(difference, low, high, 0.05) == expected


@pytest.mark.parametrize(("low", "high", "expected"), [(0.01, 0.1, "yes"), (-0.1, 0.0, "no"), (-0.1, 0.1, "unclear")])
def test_where_any_rise_counts_only_the_sign_decides(low: float, high: float, expected: str) -> None:
    assert finding((low + high) / 2, low, high, 0.0) == expected


def organism(model: str, em_steered: int, em_tuned: int, *, linked: int | None = None) -> list[Part]:
    """Base, the chosen vector with two random directions, and the chosen adapter; 40 off-domain questions each."""
    tuned = asked(em_tuned, 4, n=40, linked=linked)
    drawn = [(steered(1, model=model, arm="random", draw=draw), asked(0, n=40)) for draw in range(2)]
    return [(base(model), asked(0, n=40)), (steered(1, model=model), asked(em_steered, 4, n=40)), *drawn,
            (finetuned(1, model=model), tuned)]  # fmt: skip


def table(folder: Path, *organisms: pd.DataFrame) -> pd.DataFrame:
    job = job_on(pd.concat(organisms), RECIPE, folder)
    return schemas.check(evidence.table(job), schemas.Evidence, "evidence").set_index(["claim", "subject", "contrast"])


def test_steering_is_held_against_base_and_random_directions_and_finetuning_against_base(tmp_path: Path) -> None:
    found = table(tmp_path, counts(*organism("tiny", 2, 3)))
    steering = found.loc["steering_induces_em", "tiny, gardening, trained"]
    assert steering["finding"].to_dict() == {"over base": "yes", "over random directions": "yes"}
    assert steering["value"].tolist() == [0.5, 0.5] and steering["reference"].tolist() == [0, 0]
    assert steering["smallest_effect"].to_dict() == {"over base": 0.05, "over random directions": 0}
    tuned = found.loc[("finetuning_induces_em", "tiny, gardening, lora", "over base")]
    assert (tuned["difference"], tuned["finding"], tuned["n_questions"]) == (0.75, "yes", 40)
    assert found.groupby("claim")["n_family"].first().to_dict() == {
        "steering_induces_em": 2, "finetuning_induces_em": 1, "steered_harm_is_more_relevant_and_coherent": 2,
    }  # fmt: skip
    assert tuned["setting"] == "tiny.gardening.lora.t32.x1" and tuned["reference_setting"] == "tiny.base"


def test_the_second_claim_compares_harmful_answers_of_both_arms(tmp_path: Path) -> None:
    found = table(tmp_path, counts(*organism("tiny", 2, 3)))
    second = found.loc["steered_harm_is_more_relevant_and_coherent", "tiny, gardening, trained over lora"]
    assert second["value"].to_dict() == {"relevance_of_harmful": 60, "coherence_of_harmful": 70}
    assert second["difference"].tolist() == [0, 0] and second["smallest_effect"].tolist() == [5, 5]
    assert second["finding"].tolist() == ["unclear", "unclear"], "forty questions that agree leave room for some that do not"
    assert second["simultaneous_high"].to_numpy() == pytest.approx(100 * (1 - 0.0125 ** (1 / 40)))


def test_without_a_random_direction_the_contrast_is_not_tested_and_says_so(tmp_path: Path) -> None:
    parts = [part for part in organism("tiny", 2, 3) if part[0]["arm"] != "random"]
    row = table(tmp_path, counts(*parts)).loc[("steering_induces_em", "tiny, gardening, trained", "over random directions")]
    assert (row["finding"], row["n_questions"], row["reference_setting"]) == ("not tested", 0, "none")
    assert pd.isna(row["difference"])


def test_breadth_is_adjacent_levels_in_falling_order_and_inside_against_outside(tmp_path: Path) -> None:
    broad = counts(*organism("broad", 3, 4), breadth=1.0)
    half = counts(*organism("half", 2, 0, linked=4), breadth=0.5)
    half.loc[half["arm"].ne("finetuned") & half["relation"].eq("off_domain"), "relation"] = "unlinked"
    narrow = counts(*organism("narrow", 0, 0), breadth=0.0)
    found = table(tmp_path, narrow, broad, half).loc["planted_breadth_is_recovered", "gardening, lora"]
    assert found["difference"].to_dict() == {
        "broad over half": 0.5,
        "half over narrow": 0.5,
        "half, inside its block over outside": 1.0,
    }
    assert set(found["finding"]) == {"yes"}


def test_organisms_of_one_level_are_pooled_and_all_of_them_are_needed(tmp_path: Path) -> None:
    one, two = (counts(*organism(name, em, 4), breadth=1.0) for name, em in (("one", 2), ("two", 4)))
    narrow = counts(*organism("narrow", 1, 0), breadth=0.0)
    found = table(tmp_path, one, two, narrow).loc["planted_breadth_is_recovered"]
    pooled = found.loc[("gardening, trained", "one + two over narrow")]
    assert (pooled["value"], pooled["reference"]) == (0.75, 0.25)
    harmless = two[two["arm"].ne("steered")]
    missing = table(tmp_path, one, harmless, narrow).loc[
        "planted_breadth_is_recovered", "gardening, trained", "one + two over narrow"
    ]
    assert missing["finding"] == "not tested", "an organism without a chosen setting is not left out in silence"


def test_models_of_unknown_breadth_have_no_row_of_breadth(tmp_path: Path) -> None:
    assert "planted_breadth_is_recovered" not in table(tmp_path, counts(*organism("tiny", 2, 3))).index.get_level_values("claim")
