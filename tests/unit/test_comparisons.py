"""Comparisons: by hand, and against other people's programs: scipy, statsmodels and errorbars."""

import numpy as np
import pytest
from analysis_tables import BOOTSTRAP
from errorbars.compare import paired_compare
from scipy import stats
from statsmodels.stats.multitest import multipletests

from emsteer.analysis import extremes
from emsteer.analysis.comparisons import Difference, apart, family, interval, outside_together, paired, sign_flip, wilcoxon
from emsteer.analysis.estimates import Floats
from emsteer.recipes import Bootstrap

MANY = Bootstrap(n_resamples=20_000, level=0.95, seed=1)


def side(top: list[float] | Floats, bottom: float = 4.0) -> Floats:
    return np.array([top, [bottom] * len(top)], dtype=float)


def difference(first: list[float] | Floats, second: list[float] | Floats, bottom: float = 4.0, unit: float = 1.0) -> Difference:
    found = paired(side(first, bottom), side(second, bottom), [f"q{index}" for index in range(len(first))], unit)
    assert found is not None
    return found


def spread_out(n: int = 30, seed: int = 0) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 5, n).astype(float), generator.integers(0, 4, n).astype(float)


def test_a_paired_difference_its_error_and_interval_are_those_of_errorbars() -> None:
    first, second = spread_out()
    one = difference(first, second)
    other = paired_compare(first / 4, second / 4)
    assert (one.value, one.error) == pytest.approx((other.mean_diff, other.se_paired))
    assert one.degrees == 29, "differences with thin tails: questions minus one"
    assert interval(one, 0.025)[0] == pytest.approx(other.ci_low)
    assert other.ci_high <= interval(one, 0.025)[1] < other.ci_high + 0.02, "a little further, on the side away from zero"
    assert interval(difference(second, first), 0.025) == pytest.approx([-end for end in interval(one, 0.025)[::-1]])


def test_a_difference_of_ratios_is_over_questions_that_both_sides_have() -> None:
    treated, untreated = side([4, 2, 1, 0]), side([0, 1, 1, 0])
    untreated[1, 3] = 0  # nobody judged it
    found = paired(treated, untreated, list("abcd"))
    assert found is not None and found.value == pytest.approx(7 / 12 - 2 / 12) and found.questions == ("a", "b", "c")
    assert paired(treated, np.zeros((2, 4)), list("abcd")) is None
    assert apart(treated, np.zeros((2, 4)), (list("abcd"), list("efgh"))) is None


def test_failed_judgements_bound_a_difference_from_both_sides() -> None:
    first = np.array([[4, 2, 0], [4, 4, 0], [0, 0, 4]], dtype=float)  # of the third question nothing was judged
    second = np.array([[0, 1, 3], [4, 3, 4], [0, 1, 0]], dtype=float)
    names = list("abc")
    assert extremes.difference(first, second, (names, names)) == pytest.approx((6 / 12 - 5 / 12, 10 / 12 - 4 / 12))
    assert extremes.difference(first[:, ::-1], second, (names[::-1], names)) == pytest.approx((1 / 12, 6 / 12)), (
        "whatever their order"
    )
    assert extremes.difference(first, second[:, :2], (names, names[:2])) == pytest.approx((6 / 8 - 2 / 8, 6 / 8 - 1 / 8)), (
        "asked on both sides"
    )
    assert extremes.difference(first, second, (names, list("def"))) == pytest.approx((6 / 12 - 5 / 12, 10 / 12 - 4 / 12)), (
        "on either"
    )
    whole = difference([4, 2, 1], [0, 1, 1])
    sides = (np.vstack([side, np.zeros(3)]) for side in whole.sides)
    assert extremes.difference(*sides, (names, names)) == pytest.approx((whole.value, whole.value))


def test_answers_weigh_alike_whatever_question_they_are_to() -> None:
    """Jackknife over questions as the other opinion."""
    generator = np.random.default_rng(3)
    sides = []
    for _ in range(2):
        bottom = generator.integers(1, 9, 60).astype(float)
        sides.append(np.stack([np.floor(bottom * generator.random(60)), bottom]))
    found = paired(sides[0], sides[1], [str(index) for index in range(60)])
    left = [[np.delete(one, index, axis=1).sum(1) for one in sides] for index in range(60)]
    values = np.array([first[0] / first[1] - second[0] / second[1] for first, second in left])
    jackknife = np.sqrt(59 / 60 * ((values - values.mean()) ** 2).sum())
    assert found is not None and found.error == pytest.approx(jackknife, rel=0.03)


def test_sides_of_different_questions_are_welchs() -> None:
    first, second = spread_out()
    found = apart(side(first[:12]), side(second), ([f"a{i}" for i in range(12)], [f"b{i}" for i in range(30)]))
    assert found is not None and len(found.questions) == 42
    assert found.value == pytest.approx(first[:12].mean() / 4 - second.mean() / 4)
    assert found.error == pytest.approx(np.sqrt(first[:12].var(ddof=1) / 12 + second.var(ddof=1) / 30) / 4)
    assert wilcoxon(found) is None
    assert sign_flip(found, BOOTSTRAP) == pytest.approx(2 * stats.t.sf(abs(found.value) / found.error, found.degrees))


def test_signs_are_flipped_as_scipy_does_exactly_where_few_questions_differ() -> None:
    first, second = spread_out(10, seed=4)
    one = difference(first, second)
    exact = stats.permutation_test(
        ((first - second) / 4,), lambda x, axis: x.mean(axis), permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert sign_flip(one, BOOTSTRAP) == pytest.approx(exact.pvalue)
    assert sign_flip(difference([4] * 5, [0] * 5), BOOTSTRAP) == 2 / 2**5, "five questions cannot say more"
    assert sign_flip(difference([2] * 9, [2] * 9), BOOTSTRAP) == 1


def test_signs_of_many_questions_are_drawn_and_never_say_zero() -> None:
    first, second = spread_out(40, seed=5)
    drawn = stats.permutation_test(
        (first - second,), lambda x, axis: x.mean(axis), permutation_type="samples", n_resamples=20_000, vectorized=True, rng=0
    )
    assert sign_flip(difference(first, second), MANY) == pytest.approx(drawn.pvalue, abs=0.01)
    assert sign_flip(difference([4] * 40, [0] * 40), MANY) == 1 / 20_001


def test_signed_ranks_are_those_of_scipy_with_zeros_ranked() -> None:
    first, second = spread_out(25, seed=6)
    assert (first == second).any()
    asymptotic = stats.wilcoxon(first - second, zero_method="pratt", method="asymptotic")
    assert wilcoxon(difference(first, second)) == pytest.approx(asymptotic.pvalue)
    exact = stats.wilcoxon((first - second)[:11], zero_method="pratt", method=stats.PermutationMethod(n_resamples=np.inf))
    assert wilcoxon(difference(first[:11], second[:11])) == pytest.approx(exact.pvalue)
    assert wilcoxon(difference([1] * 8, [1] * 8)) == 1


def test_a_family_is_held_together_and_its_p_values_are_holms() -> None:
    pairs = [spread_out(44, seed=seed) for seed in range(12)]
    differences = [difference(*pair) for pair in pairs]
    found = family(differences, MANY)
    alone = [family([one], MANY)[0] for one in differences]
    p_values = [one.p_sign_flip for one in alone]
    assert [one.p_holm for one in found] == pytest.approx(multipletests(p_values, method="holm")[1])
    assert [(one.low, one.high) for one in found] == [(one.low, one.high) for one in alone]
    assert all(one.simultaneous_low < one.low and one.high < one.simultaneous_high for one in found)
    assert all((one.simultaneous_low, one.simultaneous_high) == (one.low, one.high) for one in alone)
    independent = 1 - 0.95 ** (1 / 12)
    assert outside_together(differences, MANY) == pytest.approx(independent / 2, rel=0.25), "of unrelated differences that of Sidak"


def test_differences_that_move_together_cost_a_family_next_to_nothing() -> None:
    first, second = spread_out(44)
    assert outside_together([difference(first, second)] * 30, MANY) == pytest.approx(0.025, rel=0.05)
    assert family([], MANY) == []


def test_what_does_not_vary_takes_its_share_of_the_error() -> None:
    steady = [difference([0] * 44, [0] * 44)] * 3
    assert outside_together(steady, MANY) == pytest.approx(0.025 / 3)
    both = outside_together([*steady, difference(*spread_out(44)), difference(*spread_out(44, seed=1))], MANY)
    assert both == pytest.approx(0.025 / 5, rel=0.05)


@pytest.mark.parametrize(("top", "value"), [(0, 0.0), (2, 0.5), (4, 1.0)])
def test_where_all_questions_agree_others_may_deviate_that_would_not_have_shown(top: float, value: float) -> None:
    one = difference([top] * 10, [0] * 10)
    deviating = stats.binomtest(0, 10).proportion_ci(0.95, method="exact").high
    assert interval(one, 0.025) == pytest.approx((max(-deviating, value - deviating), min(1, value + deviating)))
    points = difference([90 * top] * 10, [0] * 10, unit=100.0)
    assert interval(points, 0.025)[0] == pytest.approx(max(-100 * deviating, 90 * top / 4 - 100 * deviating))


def test_a_rare_event_reaches_no_further_than_the_questions_that_can_have_it() -> None:
    one = difference([4] + [0] * 43, [0] * 44)
    low, high = interval(one, 0.0005)
    assert high == pytest.approx(stats.beta.ppf(0.9995, 2, 43)) and low == pytest.approx(-(1 - 0.0005 ** (1 / 44)))
    assert one.degrees < 3, "one question carries it"


def test_a_single_question_decides_nothing() -> None:
    low, high = interval(difference([4], [0]), 0.025)
    assert high - low > 0.9


def test_pairing_takes_out_what_questions_have_in_common() -> None:
    hard = np.random.default_rng(0).integers(0, 4, 40)
    lone = np.tile([0.0, 1.0], 20)
    assert difference(hard + 1.0, hard + lone).error < 0.6 * difference(hard + 1.0, np.roll(hard, 7) + lone).error


def test_the_order_of_the_questions_moves_nothing_but_drawn_numbers() -> None:
    first, second = spread_out(40)
    order = np.random.default_rng(1).permutation(40)
    one, other = family([difference(first, second)], BOOTSTRAP)[0], family([difference(first[order], second[order])], BOOTSTRAP)[0]
    assert (one.low, one.high, one.p_wilcoxon) == pytest.approx((other.low, other.high, other.p_wilcoxon))
    assert one.p_sign_flip == pytest.approx(other.p_sign_flip, abs=0.05)
