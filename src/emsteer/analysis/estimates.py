"""Estimates: ratios over questions, and how sure they are. Questions are the sample; answers to one question hang together.

Everything here is about Σ top / Σ bottom over questions, for many settings at once: `top` and `bottom` are [settings ×
questions], `unit` is the largest value of one answer (1 for shares, 100 for points).

interval       Clopper and Pearson's (1934) at the effective number of answers (Korn and Graubard 1998): as many independent
               answers as would vary as much as the questions do. Where all questions agree, nothing was seen to vary, and a
               question counts as one answer. The t quantile in it has the degrees of freedom that the kurtosis of the questions'
               deviations leaves: where few questions carry the number, its variance is hardly known. It never reaches further
               than the share of questions that can have an event at all, or a miss (Clopper and Pearson again).
design effect  variance over questions / variance of as many independent answers (Kish 1965)
bounds         the number if every answer that the judge failed on had been the lowest or the highest (Manski 1990)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
NORMAL_KURTOSIS = 3.0


@dataclass(frozen=True)
class Spread:
    """A ratio and how it varies over questions. All [settings]; NaN where that is not known.

    Attributes:
        value: Σ top / Σ bottom.
        variance: Of the value, linearised, over questions; needs two of them.
        degrees: Of freedom of that variance (`degrees_of`).
        n: Σ bottom.
        n_questions: Questions with a bottom.
    """

    value: Floats
    variance: Floats
    degrees: Floats
    n: Floats
    n_questions: Floats


def spread(top: Floats, bottom: Floats) -> Spread:
    """The ratio of each setting, and its variance over questions."""
    n, n_questions = bottom.sum(1), (bottom > 0).sum(1).astype(float)
    value = divided(top.sum(1), n)
    away = np.where(bottom > 0, top - np.nan_to_num(value)[:, None] * bottom, 0.0)
    away[np.abs(away) < 1e-9 * (1 + np.abs(top))] = 0.0  # rounding: what agrees, agrees
    squares = (away**2).sum(1)
    several = n_questions > 1
    variance = divided(squares * n_questions, (n_questions - 1) * n**2, several & (n > 0))
    return Spread(value, variance, degrees_of(away, n_questions), n, n_questions)


def degrees_of(away: Floats, n_questions: Floats) -> Floats:
    """Degrees of freedom of a variance, from the kurtosis of the questions' deviations: few where few questions carry it.

    Args:
        away: Deviations; 0 for what was not asked. [settings × questions]
        n_questions: How many were. [settings]

    Returns:
        Between 1 and questions - 1; of no variance 1. [settings]
    """
    degrees = NORMAL_KURTOSIS * divided((away**2).sum(1) ** 2, (away**4).sum(1)) - 1
    return np.clip(np.nan_to_num(degrees, nan=1.0), 1.0, np.maximum(n_questions - 1, 1.0))


def bounded_interval(top: Floats, bottom: Floats, level: float, *, unit: float, of_answers: bool) -> tuple[Floats, Floats]:
    """(low, high) of a ratio that lies between 0 and `unit`; NaN where there is no answer. [settings] each

    Args:
        top: What is added up.
        bottom: Answers.
        level: Coverage aimed at [share].
        unit: Largest value of an answer.
        of_answers: Whether an answer is either 0 or `unit`: then it is not worth more than one independent answer.
    """
    of = spread(top / unit, bottom)
    outside = (1 - level) / 2
    effective = divided(of.value * (1 - of.value), of.variance)
    effective = np.minimum(effective, of.n) if of_answers else effective
    shrunk = effective * (stats.norm.ppf(outside) / stats.t.ppf(outside, of.degrees)) ** 2
    effective = np.where(of.variance > 0, shrunk, of.n_questions)
    hits, misses = of.value * effective, (1 - of.value) * effective
    low = np.where(hits > 0, stats.beta.ppf(outside, hits, misses + 1), 0.0)
    high = np.where(misses > 0, stats.beta.ppf(1 - outside, hits + 1, misses), 1.0)
    with_hit, with_miss = ((part > 1e-9 * bottom).sum(1) for part in (top / unit, bottom - top / unit))
    low = np.maximum(low, 1 - at_most(with_miss, of.n_questions, outside))
    high = np.minimum(high, at_most(with_hit, of.n_questions, outside))
    ends = (np.where(of.n > 0, end, np.nan) for end in (np.fmin(low, of.value), np.fmax(high, of.value)))
    low, high = (unit * end for end in ends)
    return low, high


def at_most(found: Floats, n: Floats, outside: float) -> Floats:
    """The upper end of Clopper and Pearson's interval of `found` among n; `outside`: the probability of more."""
    return np.where(found >= n, 1.0, stats.beta.ppf(1 - outside, found + 1, np.maximum(n - found, 1e-12)))


def unbounded_interval(top: Floats, bottom: Floats, level: float) -> tuple[Floats, Floats]:
    """(low, high) of a ratio of any size, by Student's t over questions; NaN where fewer than two have one. [settings] each"""
    of = spread(top, bottom)
    half = stats.t.ppf((1 + level) / 2, of.degrees) * np.sqrt(of.variance)
    return of.value - half, of.value + half


def design_effect(top: Floats, bottom: Floats, squares: Floats) -> Floats:
    """How many times the variance of as many independent answers; NaN where answers do not vary. [settings]

    Args:
        top: What is added up.
        bottom: Answers.
        squares: What is added up, squared answer by answer; of shares it is `top` itself.
    """
    of = spread(top, bottom)
    of_answers = divided(squares.sum(1), of.n) - of.value**2
    return divided(of.variance * of.n, of_answers, of_answers > 1e-12)


def bounds(top: Floats, bottom: Floats, failed: Floats, unit: float) -> tuple[Floats, Floats]:
    """(lowest, highest) value, whatever the answers were worth that the judge failed on. [settings] each

    Args:
        top: What is added up.
        bottom: Answers.
        failed: Answers to these questions without a judgement, for want of the judge.
        unit: Largest value of an answer.
    """
    whole = bottom.sum(1) + failed.sum(1)
    return divided(top.sum(1), whole), divided(top.sum(1) + unit * failed.sum(1), whole)


def without_one(top: Floats, bottom: Floats) -> tuple[Floats, Floats]:
    """(lowest, highest) value without one of the questions; NaN where one question is all there is. [settings] each"""
    left = bottom.sum(1, keepdims=True) - bottom
    values = divided(top.sum(1, keepdims=True) - top, left, (bottom > 0) & (left > 0))
    none = np.isnan(values).all(1)
    lowest, highest = np.where(np.isnan(values), np.inf, values).min(1), np.where(np.isnan(values), -np.inf, values).max(1)
    return np.where(none, np.nan, lowest), np.where(none, np.nan, highest)


def carried_by_two(top: Floats) -> Floats:
    """The share of Σ top that the two questions with the most of it carry; NaN where the sum is 0. [settings]"""
    return divided(np.sort(top, axis=1)[:, -2:].sum(1), top.sum(1))


def divided(top: Floats, bottom: Floats, where: NDArray[np.bool_] | None = None) -> Floats:
    """Top / bottom, NaN where the bottom is not positive or `where` is false."""
    found = bottom > 0 if where is None else where & (bottom > 0)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=found)
