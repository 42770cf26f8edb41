"""Estimates: by hand, against exact intervals where those apply, and by how often they are right."""

import numpy as np
import pytest
from scipy import stats

from emsteer.analysis.estimates import (
    Floats,
    bounded_interval,
    bounds,
    carried_by_two,
    design_effect,
    divided,
    spread,
    unbounded_interval,
    without_one,
)

EM = np.array([[0.0, 1, 2, 4]])  # of four answers each: 7 of 16
ASKED = np.full((1, 4), 4.0)
AWAY = np.array([-1.75, -0.75, 0.25, 2.25])  # from 7/16 of four
VARIANCE = 4 / 3 * (AWAY**2).sum() / 16**2


def shares(top: Floats, bottom: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    return bounded_interval(top, bottom, level, unit=1.0, of_answers=True)


def simulated(rate: float, n_questions: int, n_answers: int, alike: float, n_sets: int = 2000) -> tuple[Floats, Floats]:
    """Beta-binomial answers: `alike` is the correlation of two answers to one question."""
    generator = np.random.default_rng(n_questions + n_answers)
    size = (1 - alike) / alike
    of_questions = generator.beta(rate * size, (1 - rate) * size, size=(n_sets, n_questions))
    return generator.binomial(n_answers, of_questions).astype(float), np.full((n_sets, n_questions), float(n_answers))


def test_value_variance_and_design_effect_are_those_computed_by_hand() -> None:
    found = spread(EM, ASKED)
    assert found.value == pytest.approx(7 / 16) and found.variance == pytest.approx(VARIANCE)
    assert (found.n, found.n_questions, found.degrees) == (16, 4, 3)
    assert design_effect(EM, ASKED, EM) == pytest.approx(VARIANCE * 16 / (7 / 16 * 9 / 16))
    points = np.array([[10.0, 90, 90, 90]])
    assert design_effect(points, np.ones((1, 4)), points**2) == pytest.approx(4 / 3), "single answers: n / (n - 1)"


def test_an_interval_is_clopper_and_pearsons_at_the_effective_number_of_answers() -> None:
    n = 7 / 16 * 9 / 16 / VARIANCE * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 3)) ** 2
    low, high = shares(EM, ASKED)
    assert low == pytest.approx(stats.beta.ppf(0.025, 7 / 16 * n, 9 / 16 * n + 1))
    assert high == pytest.approx(stats.beta.ppf(0.975, 7 / 16 * n + 1, 9 / 16 * n))


@pytest.mark.parametrize("n", [3, 12, 44])
def test_without_an_event_every_question_counts_as_one_answer_however_many_it_was_asked_for(n: int) -> None:
    exact = stats.binomtest(0, n).proportion_ci(0.95, method="exact")
    for n_answers in (1, 100):
        low, high = shares(np.zeros((1, n)), np.full((1, n), float(n_answers)))
        assert low == 0 and high == pytest.approx(exact.high)
        low, high = shares(np.full((1, n), float(n_answers)), np.full((1, n), float(n_answers)))
        assert high == 1 and low == pytest.approx(1 - exact.high)


def test_a_rare_event_reaches_no_further_than_the_questions_that_can_have_it() -> None:
    once = np.zeros((1, 56))
    once[0, 3] = 1
    low, high = shares(once, np.full((1, 56), 2.0))
    assert 0 < low < 1 / 112 and high == pytest.approx(stats.binomtest(1, 56).proportion_ci(0.95, method="exact").high)
    mirrored = shares(2 - once, np.full((1, 56), 2.0))
    assert (1 - mirrored[1][0], 1 - mirrored[0][0]) == pytest.approx((low[0], high[0]))


def test_answers_of_many_questions_asked_once_have_the_exact_interval() -> None:
    top = (np.arange(4000) % 4 == 0).astype(float)[None]
    low, high = shares(top, np.ones((1, 4000)))
    exact = stats.binomtest(1000, 4000).proportion_ci(0.95, method="exact")
    assert (low[0], high[0]) == pytest.approx((exact.low, exact.high), abs=2e-5)


def test_asking_the_same_questions_again_makes_no_interval_narrower_and_more_questions_do() -> None:
    twice = shares(2 * EM, 2 * ASKED)
    assert np.ravel(twice) == pytest.approx(np.ravel(shares(EM, ASKED)))
    more = shares(np.tile(EM, 5), np.tile(ASKED, 5))
    assert more[1] - more[0] < 0.6 * (twice[1] - twice[0])


def test_points_are_bounded_by_their_scale_and_may_vary_less_than_answers_do() -> None:
    steady = np.array([[89.0, 90, 91, 90, 90, 90, 91, 89]])
    low, high = bounded_interval(steady, np.ones((1, 8)), 0.95, unit=100.0, of_answers=False)
    assert 88 < low < 90 < high < 92
    capped = bounded_interval(steady, np.ones((1, 8)), 0.95, unit=100.0, of_answers=True)
    assert capped[0] < 75 and capped[1] > 95
    assert bounded_interval(np.full((1, 8), 100.0), np.ones((1, 8)), 0.95, unit=100.0, of_answers=False)[1] == 100


def test_a_number_of_any_size_has_students_interval_and_one_question_alone_has_none() -> None:
    margins = np.array([[-1.0, 0.5, 0.25, 0.75]])
    low, high = unbounded_interval(margins, np.ones((1, 4)), 0.9)
    exact = stats.ttest_1samp(margins[0], 0).confidence_interval(0.9)
    assert (low[0], high[0]) == pytest.approx((exact.low, exact.high))
    assert np.isnan(unbounded_interval(np.array([[0.5, 0]]), np.array([[1.0, 0]]), 0.9)).all()
    low, high = shares(np.array([[2.0, 0]]), np.array([[4.0, 0]]))
    assert low < 0.03 and high > 0.97, "one question says next to nothing of others"


def test_without_an_answer_there_is_no_number() -> None:
    none = np.zeros((1, 3))
    assert np.isnan(shares(none, none)).all() and np.isnan(spread(none, none).value)
    assert np.isnan(without_one(none, none)).all() and np.isnan(carried_by_two(none)).all()
    assert np.isnan(bounds(none, none, none, 1.0)).all() and np.isnan(design_effect(none, none, none))


def test_failed_judgements_bound_a_number_from_both_sides() -> None:
    failed = np.array([[0.0, 1, 0, 2]])
    assert np.ravel(bounds(EM, ASKED, failed, 1.0)) == pytest.approx([7 / 19, 10 / 19])
    assert np.ravel(bounds(90 * ASKED, ASKED, failed, 100.0)) == pytest.approx([1440 / 19, 1740 / 19])
    assert np.ravel(bounds(0 * EM, 0 * ASKED, failed, 1.0)) == pytest.approx([0, 1]), "nothing but failures: anything is possible"
    assert np.ravel(bounds(EM, ASKED, 0 * failed, 1.0)) == pytest.approx([7 / 16, 7 / 16])


def test_what_single_questions_carry_is_shown() -> None:
    assert np.ravel(without_one(EM, ASKED)) == pytest.approx([3 / 12, 7 / 12])
    assert carried_by_two(EM) == pytest.approx(6 / 7)
    assert np.ravel(without_one(np.array([[1.0, 3, 0]]), np.array([[4.0, 4, 0]]))) == pytest.approx([1 / 4, 3 / 4])
    assert np.isnan(without_one(EM[:, :1], ASKED[:, :1])).all(), "there is nothing without the only question"


def test_a_ratio_without_a_denominator_is_not_a_number() -> None:
    found = divided(np.array([1.0, 1, 1]), np.array([2.0, 0, 2]), np.array([True, True, False]))
    assert found[0] == 0.5 and np.isnan(found[1:]).all()


@pytest.mark.parametrize(
    ("rate", "n_questions", "n_answers", "alike"), [(0.3, 8, 10, 0.2), (0.03, 44, 10, 0.2), (0.004, 44, 5, 0.1), (0.5, 56, 6, 0.3)]
)
def test_intervals_are_right_about_as_often_as_they_say(rate: float, n_questions: int, n_answers: int, alike: float) -> None:
    """2,000 sets: three standard errors are .015; `make bench-statistics` has more of them."""
    low, high = shares(*simulated(rate, n_questions, n_answers, alike))
    assert ((low <= rate) & (rate <= high)).mean() > 0.935
