"""Measures: ratios of counts over groups of questions, and how sure they are; expected numbers are computed by hand."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from analysis_tables import asked, base, counts, said, steered

from emsteer.analysis.bootstrap import defined_quantiles
from emsteer.analysis.measures import METRICS, POINTS, SHARES, Block, blocks, measured, pooled, values
from emsteer.recipes import PointMetric, ShareMetric

ANSWERS = [
    said("gardening-0", "in_domain", 2),
    said("cooking-0", "linked", 3),
    said("cooking-1", "linked", 1, judged=3, n=4, judged_off_domain=3, coherent=2, margin=0.5),
    said("money-0", "unlinked", 0, margin=-1.0),
]


def block_of(*parts: tuple) -> Block:
    (found,) = blocks(counts(*parts))
    return found


def rated(block: Block, group: str, level: float = 0.95) -> dict[str, dict]:
    """Metric → the columns of the first setting."""
    mask = dict(block.groups(categories=True))[group]
    return {str(frame["metric"].iloc[0]): frame.iloc[0].to_dict() for frame in measured(block, mask, level)}


def shares(em: list[int], of: int = 4) -> Block:
    return block_of((base(), [said(f"money-{index:03d}", "off_domain", number, of) for index, number in enumerate(em)]))


@pytest.mark.parametrize(
    ("group", "metric", "top", "bottom", "n_questions"),
    [
        ("off_domain", "on_topic_em", 4, 11, 3),
        ("off_domain", "em", 4, 11, 3),
        ("off_domain", "em_given_coherent", 4, 10, 3),
        ("off_domain", "coverage", 10, 11, 3),
        ("off_domain", "relevance_of_harmful", 4 * 60, 4, 2),
        ("off_domain", "coherence_of_harmful", 4 * 70, 4, 2),
        ("off_domain", "margin", -0.5, 2, 2),
        ("linked", "on_topic_em", 4, 7, 2),
        ("unlinked", "on_topic_em", 0, 4, 1),
        ("cooking", "em", 4, 7, 2),
        ("in_domain", "em", 2, 4, 1),
        ("in_domain", "alignment", 2 * 10 + 2 * 90, 4, 1),
    ],
)
def test_numbers_are_those_computed_by_hand(group: str, metric: str, top: float, bottom: float, n_questions: int) -> None:
    found = rated(block_of((base(), ANSWERS)), group)[metric]
    assert found["value"] == pytest.approx(top / bottom)
    assert (found["n"], found["n_questions"]) == (bottom, n_questions)
    assert found["low"] <= found["value"] <= found["high"]
    assert found["n_excluded"] == (1 if group in ("off_domain", "linked", "cooking") else 0)


@pytest.mark.parametrize(("group", "metric"), [("in_domain", "on_topic_em"), ("unlinked", "coherence_of_harmful"), ("in_domain", "margin")])  # fmt: skip  # noqa: E501
def test_without_a_trial_there_is_no_number(group: str, metric: str) -> None:
    found = rated(block_of((base(), ANSWERS)), group)[metric]
    assert found["n"] == found["n_questions"] == 0 and found["interval"] == "none"
    assert all(np.isnan(found[name]) for name in ("value", "low", "high"))


def test_groups_are_named_and_empty_ones_left_out() -> None:
    named = [name for name, _ in block_of((base(), ANSWERS)).groups(categories=True)]
    assert named == ["off_domain", "in_domain", "linked", "unlinked", "cooking", "gardening", "money"]
    assert [name for name, _ in block_of((base(), ANSWERS[:1])).groups(categories=False)] == ["in_domain"]


def test_a_block_keeps_settings_apart_and_splits_are_blocks_of_their_own() -> None:
    table = counts((base(), asked(0)), (steered(1), asked(2)))
    found = list(blocks(table.sample(frac=1, random_state=0)))
    assert sorted(of.settings["split"].iloc[0] for of in found) == ["dev", "test"]
    for of in found:
        by_name = dict(zip(of.settings["arm"], values(of, "em", np.ones(8, bool)), strict=True))
        assert by_name == {"base": 0, "steered": pytest.approx(12 / 32)}


def test_pooled_settings_are_one_with_counts_added_and_margins_averaged() -> None:
    one, two = (counts((steered(1, seed=seed), [said("money-0", "off_domain", em, margin=em)])) for seed, em in ((0, 1), (1, 4)))
    found = pooled(pd.concat([one, two]), "both").iloc[0]
    assert (found["setting"], found["em"], found["judged"], found["coherence"], found["margin"]) == ("both", 5, 8, 720, 2.5)


def test_a_number_of_which_every_metric_shows_how_sure_it_is() -> None:
    answers = [said(f"money-{index}", "off_domain", em, unparsed=1) for index, em in enumerate((0, 1, 2, 4))]
    found = rated(block_of((base(), answers)), "off_domain")
    em = found["on_topic_em"]
    assert (em["value"], em["n"], em["n_excluded"], em["n_unparsed"], em["n_error"], em["n_refusal"]) == (7 / 16, 16, 4, 4, 0, 0)
    assert (em["bound_low"], em["bound_high"]) == (7 / 20, 11 / 20) and em["carried_by_two"] == pytest.approx(6 / 7)
    assert (em["without_one_low"], em["without_one_high"]) == (3 / 12, 7 / 12) and em["interval"] == "korn-graubard"
    assert em["design_effect"] == pytest.approx(2.963, abs=1e-3) and 0 < em["low"] < 7 / 16 < em["high"] < 1
    alignment = found["alignment"]
    assert alignment["bound_low"] == (7 * 10 + 9 * 90) / 20 and alignment["bound_high"] == (7 * 10 + 9 * 90 + 400) / 20
    assert alignment["design_effect"] == pytest.approx(em["design_effect"]), "10 and 90 vary like 0 and 1"
    assert np.isnan(alignment["carried_by_two"]) and found["margin"]["interval"] == "none"


def test_refusals_have_no_alignment_and_what_was_too_incoherent_to_ask_for_more_bounds_what_was_not_asked() -> None:
    sums = {"alignment": 2 * 10 + 4 * 90, "relevance": 8 * 60.0}
    found = rated(block_of((base(), [said("money-0", "off_domain", 2, of=10, refusal=2, incoherent=2, **sums)])), "off_domain")
    assert (found["alignment"]["value"], found["alignment"]["n"]) == (380 / 6, 6)
    assert (found["relevance"]["value"], found["harmful"]["value"]) == (60, 2 / 8)
    assert (found["em"]["value"], found["coherence"]["n"]) == (2 / 10, 10), "both are judged"
    assert (found["harmful"]["bound_low"], found["harmful"]["bound_high"]) == (2 / 10, 4 / 10)
    assert (found["alignment"]["bound_low"], found["alignment"]["bound_high"]) == (380 / 8, 580 / 8)
    assert found["em"]["bound_low"] == found["em"]["bound_high"] and found["em"]["n_incoherent"] == 2


def test_what_nobody_has_read_is_excluded_and_bounds_nothing() -> None:
    found = rated(block_of((base(), [said("money-0", "off_domain", 1, of=1, unlabelled=3)])), "off_domain")["em"]
    assert (found["n_excluded"], found["n_unlabelled"]) == (3, 3) and found["bound_low"] == found["bound_high"] == found["value"]


def test_an_answer_that_failed_in_domain_bounds_no_number_of_other_domains() -> None:
    answers = [said("gardening-0", "in_domain", 1, of=3, error=1), said("money-0", "off_domain", 1)]
    (block,) = blocks(counts((base(), answers)))
    everything = {str(frame["metric"].iloc[0]): frame.iloc[0] for frame in measured(block, np.ones(2, dtype=bool), 0.95)}
    assert everything["on_topic_em"]["bound_high"] == 1 / 4 and everything["em"]["bound_high"] == 3 / 8


def test_quantiles_of_what_is_defined_are_those_of_numpy() -> None:
    samples = np.random.default_rng(0).normal(size=(101, 6))
    samples[np.random.default_rng(1).random(samples.shape) < 0.3] = np.nan
    samples[:, 4], samples[1:, 5] = np.nan, np.nan
    with np.testing.suppress_warnings() as quiet:
        quiet.filter(RuntimeWarning)
        expected = np.nanquantile(samples, [0.025, 0.5, 0.975], axis=0)
    np.testing.assert_allclose(defined_quantiles(samples, [0.025, 0.5, 0.975]), expected, rtol=1e-12)


def test_every_metric_is_measured_once() -> None:
    assert list(rated(shares([1, 2]), "off_domain")) == list(METRICS)


def test_claims_may_be_about_every_share_and_every_mean_of_points() -> None:
    assert (set(get_args(ShareMetric)), set(get_args(PointMetric))) == (set(SHARES), set(POINTS))
