"""Selection: the smallest dose that does most of the in-domain harm among coherent settings, and nothing else is looked at."""

import pandas as pd
import pytest
from analysis_tables import BASE_POINT, SELECTION, Row, asked, base, counts, finetuned, said, steered

from emsteer.analysis.selection import Choice, candidates, choices, choose
from emsteer.recipes import Selection


def dosed(in_domain: dict[float, int], coherent: dict[float, int] | None = None, **changes: object) -> pd.DataFrame:
    """Dose → EM of four answers to each in-domain question, and how many answers are coherent."""
    parts = [
        (steered(dose, **changes), asked(0, em, coherent=max(em, (coherent or {}).get(dose, 4)))) for dose, em in in_domain.items()
    ]
    return counts(*parts)


def chosen_dose(table: pd.DataFrame, selection: Selection = SELECTION) -> float | None:
    found = choose(table, selection)
    return None if found is None else float(found["dose"].unique().item())


def points(table: pd.DataFrame) -> dict[tuple[str, str], Choice]:
    return {(choice.treatment, choice.point): choice for choice in choices(table, SELECTION, BASE_POINT)}


@pytest.mark.parametrize(
    ("in_domain", "coherent", "dose"),
    [
        pytest.param({0.5: 1, 1: 4, 2: 4}, {}, 1, id="the smaller of two equals"),
        pytest.param({0.5: 3, 1: 4}, {}, 1, id="three quarters are less than 80 %"),
        pytest.param({1: 2, 2: 3}, {2: 3}, 1, id="the largest is not coherent enough"),
        pytest.param({1: 2, 2: 3}, {1: 3, 2: 3}, None, id="none is coherent"),
        pytest.param({0.5: 0, 1: 0}, {}, None, id="none does harm in-domain"),
        pytest.param({-1: 4, 2: 4}, {}, -1, id="a negative dose is a small one"),
    ],
)
def test_the_smallest_dose_with_most_of_the_in_domain_harm_among_coherent_ones(
    in_domain: dict[float, int], coherent: dict[float, int], dose: float | None
) -> None:
    assert chosen_dose(dosed(in_domain, coherent)) == dose


@pytest.mark.parametrize(("share", "dose"), [(0.75, 0.5), (0.8, 1)])
def test_both_thresholds_are_the_ones_that_are_given(share: float, dose: float) -> None:
    assert chosen_dose(dosed({0.5: 3, 1: 4}), Selection(share_of_largest=share, least_coverage=0)) == dose
    at_the_edge = Selection(share_of_largest=0.8, least_coverage=0.75)
    assert chosen_dose(dosed({1: 2, 2: 3}, {2: 3}), at_the_edge) == 2


def test_neither_test_questions_nor_off_domain_harm_move_the_choice() -> None:
    table = dosed({0.5: 1, 1: 4, 2: 4})
    moved = table.copy()
    off_domain = moved["relation"].ne("in_domain") & moved["dose"].eq(2)
    moved.loc[off_domain, ["em", "on_topic_em", "harmful"]] = 4
    moved.loc[moved["split"].eq("test"), ["em", "coherent"]] = 0
    assert chosen_dose(moved) == chosen_dose(table) == 1
    without_dev = table[table["split"].eq("test")]
    assert chosen_dose(without_dev) is None


def test_where_only_test_questions_of_one_setting_were_judged_there_is_nothing_to_choose_from() -> None:
    unread = {"judged": 0, "judged_off_domain": 0, "coherent": 0, "em": 0, "on_topic_em": 0, "harmful": 0, "unlabelled": 4}

    def read(em: int) -> list[Row]:
        return [answer | unread if answer["split"] == "dev" else answer for answer in asked(em)]

    nobody = [(setting, [answer | unread for answer in asked(0)]) for setting in (steered(2), steered(1, seed=1))]
    one = choose(counts((steered(1), read(0)), *nobody), SELECTION)
    assert one is not None and set(one["setting"]) == {steered(1)["setting"]} and set(one["split"]) == {"dev", "test"}
    assert choose(counts((steered(1), read(1)), (steered(1, seed=1), read(1)), *nobody[:1]), SELECTION) is not None, "two seeds"
    assert choose(counts((steered(1), read(1)), (steered(2), read(1))), SELECTION) is None, (
        "two doses, and no dev question to choose on"
    )
    assert choose(counts(*nobody), SELECTION) is None


def test_coverage_is_that_of_all_dev_questions_and_judged_answers() -> None:
    answers = [said("gardening-0", "in_domain", 3, split="dev", coherent=3, judged=3, n=100)]
    answers += [said(f"money-{i}", "off_domain", split="dev", coherent=3) for i in range(3)]
    assert choose(counts((steered(1), answers)), Selection(share_of_largest=0.8, least_coverage=0.8)) is not None  # 12 of 15
    assert choose(counts((steered(1), answers)), Selection(share_of_largest=0.8, least_coverage=0.81)) is None


def test_seeds_are_pooled_and_all_of_them_come_back() -> None:
    table = pd.concat([dosed({0.5: 4, 1: 3}, seed=0), dosed({0.5: 0, 1: 4}, seed=1)])
    found = choose(table, SELECTION)
    assert found is not None
    assert set(found["dose"]) == {1} and set(found["seed"]) == {0, 1} and set(found["split"]) == {"dev", "test"}


def test_layers_are_compared_by_relative_dose() -> None:
    deep = dosed({1: 4}, layer=2)
    deep["dose_relative"] = 0.2
    found = choose(pd.concat([dosed({1: 4}), deep]), SELECTION)
    assert found is not None and set(found["layer"]) == {2}


def test_candidates_differ_from_the_base_point_in_vector_layer_seed_and_dose_only() -> None:
    kept: list[Row] = [steered(1), steered(2, layer=0), steered(1, seed=3), finetuned(0.5), finetuned(1, seed=2)]
    kept += [steered(1, arm="control", vector="careful"), finetuned(1, arm="control", adapter="careful")]
    kept += [steered(1, vector="mean_difference", epochs=None)]
    others: list[Row] = [base(), steered(1, epochs=4), steered(1, positions="answer"), steered(1, dose_unit="residual_norm")]
    others += [steered(1, arm="random", draw=0), steered(1, vector="low_rank", rank=2), finetuned(1, steps=8)]
    found = candidates(counts(*((setting, asked(0)) for setting in kept + others)), BASE_POINT)
    assert list(dict.fromkeys(found["setting"])) == [setting["setting"] for setting in kept]


def test_a_place_reports_base_and_each_treatment_where_chosen_and_at_its_largest_dose() -> None:
    settings = [(base(), asked(0)), (finetuned(0.5), asked(2, 4)), (finetuned(2), asked(3, 4))]
    settings += [(steered(1), asked(1, 2)), (steered(2), asked(2, 2)), (steered(1, layer=0), asked(1, 4))]
    found = points(counts(*settings))
    assert {key: (set(of.counts["layer"].dropna()), set(of.counts["dose"].dropna())) for key, of in found.items()} == {
        ("none", "base"): (set(), set()),
        ("lora", "chosen"): (set(), {0.5}),
        ("lora", "chosen_with_layer"): (set(), {0.5}),
        ("lora", "largest_dose"): (set(), {2}),
        ("trained", "chosen"): ({1}, {1}),
        ("trained", "chosen_with_layer"): ({0}, {1}),
        ("trained", "largest_dose"): ({1}, {2}),
    }


def test_a_treatment_that_harms_nothing_has_a_largest_dose_and_no_choice() -> None:
    assert set(points(counts((base(), asked(0)), (steered(1), asked(0))))) == {("none", "base"), ("trained", "largest_dose")}
