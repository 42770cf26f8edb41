"""Measures: ratios of counts over groups of questions, and how sure they are; expected numbers are computed by hand."""

import numpy as np
import pandas as pd
import pytest
from analysis_tables import BOOTSTRAP, asked, base, counts, said, steered

from emsteer.analysis.bootstrap import defined_quantiles, ratio_intervals, resampled, wilson
from emsteer.analysis.measures import METRICS, Block, blocks, measured, pooled, values
from emsteer.recipes import Bootstrap

Z = 1.959963984540054  # of a 95 % interval
ANSWERS = [
    said("gardening-0", "in_domain", 2),
    said("cooking-0", "linked", 3),
    said("cooking-1", "linked", 1, judged=3, n=4, judged_off_domain=3, coherent=2, margin=0.5),
    said("money-0", "unlinked", 0, margin=-1.0),
]


def block_of(*parts: tuple) -> Block:
    (found,) = blocks(counts(*parts))
    return found


def rated(block: Block, group: str, bootstrap: Bootstrap = BOOTSTRAP) -> dict[str, dict]:
    """Metric → the columns of the first setting."""
    mask = dict(block.groups(categories=True))[group]
    return {str(frame["metric"].iloc[0]): frame.iloc[0].to_dict() for frame in measured(block, mask, bootstrap)}


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


HALF = Z / 2 / np.sqrt(12 + Z**2)  # half of Wilson's width around 1/2 of 12 questions


@pytest.mark.parametrize(("em", "low", "high"), [(0, 0, Z**2 / (12 + Z**2)), (4, 12 / (12 + Z**2), 1), (2, 0.5 - HALF, 0.5 + HALF)])
def test_where_all_questions_agree_the_interval_is_wilson_over_questions(em: int, low: float, high: float) -> None:
    found = rated(shares([em] * 12), "off_domain")["em"]
    assert found["interval"] == "wilson"
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-12)


def test_wilson_reaches_the_edges_and_no_further() -> None:
    assert wilson(0, 5, 0.95)[0] == 0 and wilson(1, 5, 0.95)[1] == 1


def test_asking_again_makes_no_interval_narrower_and_more_questions_do() -> None:
    uneven = [index % 4 for index in range(20)]
    once, twice = rated(shares(uneven), "off_domain"), rated(shares([2 * em for em in uneven], of=8), "off_domain")
    for metric in ("em", "on_topic_em", "alignment"):
        assert (twice[metric]["low"], twice[metric]["high"]) == pytest.approx((once[metric]["low"], once[metric]["high"]))
    more = rated(shares(uneven * 4), "off_domain")["em"]
    assert more["high"] - more["low"] < 0.7 * (once["em"]["high"] - once["em"]["low"])


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    block, other = shares([index % 4 for index in range(20)]), BOOTSTRAP.model_copy(update={"seed": 1})
    first = rated(block, "off_domain")["em"]
    resampled.cache_clear()
    assert rated(block, "off_domain")["em"] == first
    assert rated(block, "off_domain", other)["em"]["low"] != first["low"]


@pytest.mark.parametrize("n_answers", [1, 8])
def test_an_interval_of_a_mean_covers_the_truth_about_as_often_as_it_says(n_answers: int) -> None:
    generator = np.random.default_rng(5)
    points = generator.normal(60, 15, size=(1000, 40, 1)) + generator.normal(0, 15, size=(1000, 40, n_answers))
    trials = np.full((1000, 40), float(n_answers))
    low, high = ratio_intervals(points.sum(2), trials, resampled(40, BOOTSTRAP), 0.95)
    assert 0.90 <= ((low <= 60) & (high >= 60)).mean() <= 0.98


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
