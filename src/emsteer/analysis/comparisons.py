"""Comparisons: differences of two ratios over questions, with tests, and families of them corrected together.

A difference is kept with its *pulls*: how much each question pulls it away from itself, so that its variance is the sum of their
squares. Paired sides were asked the same questions, and a question's pull is what it does to both; sides of different questions
pull apart. Whatever was compared, the same arithmetic follows.

sign flip     the chance of a difference as large, were each question's difference as likely to have the other sign (Fisher 1935)
Wilcoxon      signed ranks of the questions' differences, zeros ranked and then left out (Pratt 1959)
simultaneous  intervals that hold all at once with the declared probability: the largest |t| of the family under Gaussian
              multipliers of the pulls (Chernozhukov, Chetverikov and Kato 2013), scaled to Student's t
Holm          p values that may be read one by one (Holm 1979)
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy import stats

from emsteer.analysis.estimates import Floats, at_most, bounded_interval, degrees_of
from emsteer.recipes import Bootstrap

EXACT_UP_TO = 12  # questions that differ: all 4,096 signs are tried


@dataclass(frozen=True)
class Difference:
    """A difference of two ratios.

    Attributes:
        value: First side minus second.
        pulls: Of each question. [questions]
        by_question: The difference question by question, centred on `value`; None where the sides were asked different ones.
        questions: Names, in the order of `pulls`.
        unit: Largest value of one answer: 1 for shares, 100 for points.
        n_seeds: How many of the last pulls are of seeds, where these are drawn from a population too.
        sides: Numerators and denominators of both. [2 × questions] each
    """

    value: float
    pulls: Floats
    by_question: Floats | None
    questions: tuple[str, ...]
    unit: float
    sides: tuple[Floats, Floats]
    n_seeds: int = 0

    @property
    def n_questions(self) -> int:
        """Asked, and answered on both sides where they were asked the same."""
        return len(self.pulls) - self.n_seeds

    @property
    def ratios(self) -> tuple[float, float]:
        """Of both sides, over the questions that were compared."""
        first, second = (_ratio(side[:, side[1] > 0])[0] for side in self.sides)
        return first, second

    @property
    def error(self) -> float:
        """Standard error."""
        return float(np.sqrt((self.pulls**2).sum()))

    @property
    def degrees(self) -> float:
        """Of freedom of the error (`estimates.degrees_of`)."""
        return float(degrees_of(self.pulls[None], np.array([float(len(self.pulls))]))[0])


@dataclass(frozen=True)
class Compared:
    """What is said of a difference in its family. Intervals end at ± `unit`.

    Attributes:
        low, high: By itself.
        simultaneous_low, simultaneous_high: With all of its family.
        p_sign_flip: Two-sided; of sides with different questions Welch's t.
        p_wilcoxon: Two-sided; None for sides with different questions.
        p_holm: `p_sign_flip`, corrected for the family.
    """

    low: float
    high: float
    simultaneous_low: float
    simultaneous_high: float
    p_sign_flip: float
    p_wilcoxon: float | None
    p_holm: float


def between(first: Floats, second: Floats, questions: Sequence[Sequence[str]], unit: float = 1.0) -> Difference | None:
    """`paired` on the questions that both sides were asked; where there are none, `apart`. `questions`: of each side."""
    own, others = asked_both(questions)
    if not own:
        return apart(first, second, (questions[0], questions[1]), unit)
    return paired(first[:, own], second[:, others], [questions[0][place] for place in own], unit)


def asked_both(questions: Sequence[Sequence[str]]) -> tuple[list[int], list[int]]:
    """Where the questions of both sides stand on either side, in the order of the first."""
    there = {name: place for place, name in enumerate(questions[1])}
    common = [(place, there[name]) for place, name in enumerate(questions[0]) if name in there]
    return [own for own, _ in common], [other for _, other in common]


def paired(first: Floats, second: Floats, questions: Sequence[str], unit: float = 1.0) -> Difference | None:
    """Both sides were asked the same questions; None where no question has an answer on both.

    Args:
        first: Numerators and denominators of each question. [2 × questions]
        second: Likewise.
        questions: Their names.
        unit: Largest value of one answer.
    """
    both = (first[1] > 0) & (second[1] > 0)
    if not both.any():
        return None
    n = int(both.sum())
    values, pulls = zip(*(_ratio(side[:, both]) for side in (first, second)), strict=True)
    pull = pulls[0] - pulls[1]
    value = float(values[0] - values[1])
    names = tuple(name for name, is_there in zip(questions, both, strict=True) if is_there)
    pull = _settled(pull, unit)
    sides = first[:, both], second[:, both]
    return Difference(value, pull * np.sqrt(n / max(n - 1, 1)), value + n * pull, names, unit, sides)


def apart(first: Floats, second: Floats, questions: tuple[Sequence[str], Sequence[str]], unit: float = 1.0) -> Difference | None:
    """The sides were asked different questions; None where one of them has no answer. Arguments as for `paired`."""
    if not (first[1].sum() > 0 and second[1].sum() > 0):
        return None
    parts, values, names = [], [], []
    for side, sign, asked in ((first, 1.0, questions[0]), (second, -1.0, questions[1])):
        there = side[1] > 0
        value, pulls = _ratio(side[:, there])
        n = int(there.sum())
        parts.append(sign * _settled(pulls, unit) * np.sqrt(n / max(n - 1, 1)))
        values.append(value)
        names += [name for name, is_there in zip(asked, there, strict=True) if is_there]
    return Difference(float(values[0] - values[1]), np.concatenate(parts), None, tuple(names), unit, (first, second))


def of_a_population_of_seeds(one: Difference, by_seed: Mapping[int, float]) -> Difference:
    """The difference with the spread of its seeds in its error: as many pulls more. `by_seed`: seed → its difference by itself.

    Questions and seeds are crossed, so that what a seed does to single questions is counted with both: a little too wide.
    """
    values = np.array(list(by_seed.values()))
    n = len(values)
    pulls = _settled((values - values.mean()) / n * np.sqrt(n / max(n - 1, 1)), one.unit)
    names = tuple(f"seed {seed}" for seed in by_seed)
    return replace(one, pulls=np.concatenate([one.pulls, pulls]), questions=one.questions + names, n_seeds=n)


def _ratio(side: Floats) -> tuple[float, Floats]:
    """A ratio, and how much each question pulls it."""
    value = side[0].sum() / side[1].sum()
    return float(value), (side[0] - value * side[1]) / side[1].sum()


def _settled(pulls: Floats, unit: float) -> Floats:
    """Without rounding: what agrees, agrees."""
    return np.where(np.abs(pulls) < 1e-12 * unit, 0.0, pulls)


def family(differences: Sequence[Difference], recipe: Bootstrap) -> list[Compared]:
    """All differences of a family, compared with zero together."""
    if not differences:
        return []
    p_values = [sign_flip(one, recipe) for one in differences]
    outside = (1 - recipe.level) / 2
    outside_of_all = outside_together(differences, recipe)
    return [
        Compared(
            *interval(one, outside),
            *interval(one, outside_of_all),
            p_sign_flip=p,
            p_wilcoxon=wilcoxon(one),
            p_holm=float(corrected),
        )
        for one, p, corrected in zip(differences, p_values, holm(p_values), strict=True)
    ]


def holm(p_values: Sequence[float]) -> Floats:
    """Corrected p values, in the order given. (statsmodels collects garbage each time, which takes longer than all the rest.)"""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return corrected


def numbers(one: Difference, compared: Compared, n_family: int) -> dict[str, object]:
    """The columns of `schemas.results.Differences`."""
    return {"difference": one.value, **asdict(compared), "n_family": n_family, "n_questions": one.n_questions}


def interval(one: Difference, outside: float) -> tuple[float, float]:
    """(low, high) of a difference; `outside`: the probability of missing it on either side.

    Student's t over questions; the end away from zero reaches at least as far as the sides' own intervals let it, since few
    questions with many events make a skewed sample (Zou and Donner 2008). And never further out than the share of questions
    that can differ that way (Clopper and Pearson; of paired sides). Where all questions agree, as many others as would not have
    shown up among these may differ.
    """
    n = one.n_questions
    half = one.error * -float(stats.t.ppf(outside, one.degrees)) if one.error > 0 else one.unit * (1 - outside ** (1 / n))
    least, most = -one.unit, one.unit
    if one.by_question is not None:
        found = np.array([(sign * one.by_question > 1e-12 * one.unit).sum() for sign in (-1, 1)], dtype=np.float64)
        less, more = at_most(found, np.full(2, float(n)), outside)
        least, most = -one.unit * float(less), one.unit * float(more)
    below, above = one.value - half, one.value + half
    if one.error > 0 and one.value != 0:
        far = _far_end(one, outside)
        below, above = (min(below, far), above) if one.value < 0 else (below, max(above, far))
    return min(one.value, max(least, below)), max(one.value, min(most, above))


def _far_end(one: Difference, outside: float) -> float:
    """The end away from zero, put together from the intervals of the two sides, as far as they do not move together."""
    larger, smaller = one.sides if one.value > 0 else one.sides[::-1]
    ends, values, pulls = [], [], []
    for side in (larger, smaller):
        top, bottom = side[0][None], side[1][None]
        low, high = bounded_interval(top, bottom, 1 - 2 * outside, unit=one.unit, of_answers=one.unit == 1)
        value, pull = _ratio(side)
        ends.append((float(low[0]), float(high[0])))
        values.append(value)
        pulls.append(pull)
    up, down = ends[0][1] - values[0], values[1] - ends[1][0]
    product = float(np.sqrt((pulls[0] ** 2).sum() * (pulls[1] ** 2).sum())) if one.by_question is not None else 0.0
    together = float(pulls[0] @ pulls[1]) / product if product > 0 else 0.0
    far = values[0] - values[1] + float(np.sqrt(max(up**2 - 2 * together * up * down + down**2, 0.0)))
    return far if one.value > 0 else -far


def outside_together(differences: Sequence[Difference], recipe: Bootstrap) -> float:
    """The probability of missing one difference on either side at which all of the family are held with the declared level."""
    alone = (1 - recipe.level) / 2
    varied = [one for one in differences if one.error > 0]
    steady = len(differences) - len(varied)  # they have no t: each takes its share of the error
    if len(varied) < 2:
        return alone / len(differences)
    questions = {name: index for index, name in enumerate(dict.fromkeys(name for one in varied for name in one.questions))}
    pulls = np.zeros((len(questions), len(varied)))
    for column, one in enumerate(varied):
        pulls[[questions[name] for name in one.questions], column] = one.pulls / one.error
    multipliers = np.random.default_rng(recipe.seed).standard_normal((recipe.n_resamples, len(questions)))
    share = len(varied) / len(differences)
    largest = np.quantile(np.abs(multipliers @ pulls).max(1), 1 - (1 - recipe.level) * share)
    found = min(alone, float(stats.norm.sf(largest)))
    return min(found, alone / len(differences) if steady else alone)


def sign_flip(one: Difference, recipe: Bootstrap) -> float:
    """Two-sided p value; exact for few questions that differ, else of `n_resamples` drawn signs and the observed ones."""
    if one.by_question is None:
        return 1.0 if one.error == 0 else float(2 * stats.t.sf(abs(one.value) / one.error, one.degrees))
    differing = _differing(one.by_question, one.unit)
    differing = differing[differing != 0]
    if differing.size <= EXACT_UP_TO:
        return _of_all_signs(differing)
    sums = np.abs(_signs(differing.size, recipe) @ differing)
    return float((1 + (sums >= abs(differing.sum()) * (1 - 1e-12)).sum()) / (1 + recipe.n_resamples))


def wilcoxon(one: Difference) -> float | None:
    """Two-sided p value; exact for few questions that differ, else by the normal approximation."""
    if one.by_question is None:
        return None
    away = _differing(one.by_question, one.unit)
    if np.count_nonzero(away) > EXACT_UP_TO:
        return float(stats.wilcoxon(away, zero_method="pratt", method="asymptotic").pvalue)
    return _of_all_signs((np.sign(away) * stats.rankdata(np.abs(away)))[away != 0])


def _differing(by_question: Floats, unit: float) -> Floats:
    """Differences without rounding: what does not differ is zero, and equals are equal."""
    return np.round(by_question / unit, 12)


def _of_all_signs(values: Floats) -> float:
    """The share of all combinations of signs whose sum is as far from zero as the observed one."""
    signs = 1 - 2 * ((np.arange(2**values.size)[:, None] >> np.arange(values.size)) & 1)
    return float((np.abs(signs @ values) >= abs(values.sum()) * (1 - 1e-12)).mean())


@functools.lru_cache(maxsize=64)
def _signs(n: int, recipe: Bootstrap) -> Floats:
    drawn = np.random.default_rng((recipe.seed, n)).integers(0, 2, size=(recipe.n_resamples, n))
    return np.asarray(1 - 2 * drawn, dtype=np.float64)
