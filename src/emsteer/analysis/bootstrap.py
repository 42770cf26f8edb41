"""Intervals by resampling questions: answers to one question are not independent, questions are the sample.

The same seed gives the same resamples, so settings asked the same questions are compared pairwise.
"""

import functools
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from emsteer.recipes import Bootstrap

Floats = NDArray[np.float64]


@functools.cache
def resampled(n_questions: int, recipe: Bootstrap) -> Floats:
    """How often each question is drawn. [resamples × questions]"""
    generator = np.random.default_rng((recipe.seed, n_questions))
    return generator.multinomial(n_questions, np.full(n_questions, 1 / n_questions), size=recipe.n_resamples).astype(float)


def ratio_intervals(numerators: Floats, denominators: Floats, weights: Floats, level: float) -> Floats:
    """Percentile intervals of Σ numerators / Σ denominators over questions; NaN where no resample has a denominator.

    Args:
        numerators: [settings × questions]
        denominators: [settings × questions]
        weights: How often each resample draws each question. [resamples × questions]
        level: Coverage aimed at.

    Returns:
        Low and high. [2 × settings]
    """
    ratios = resampled_ratios(numerators, denominators, weights)
    return defined_quantiles(ratios, [(1 - level) / 2, (1 + level) / 2])


def defined_quantiles(samples: Floats, shares: Sequence[float]) -> Floats:
    """As `np.nanquantile` of every column, but in one sort; NaN where a column has nothing else. [samples × columns]

    Returns:
        [shares × columns]
    """
    ordered = np.sort(samples, axis=0)  # NaN comes last
    last = (~np.isnan(samples)).sum(axis=0) - 1
    found = np.full((len(shares), samples.shape[1]), np.nan)
    columns = np.flatnonzero(last >= 0)
    for row, share in enumerate(shares):
        position = share * last[columns]
        below = np.floor(position).astype(int)
        above = np.minimum(below + 1, last[columns])
        low, high = ordered[below, columns], ordered[above, columns]
        found[row, columns] = low + (high - low) * (position - below)
    return found


def resampled_ratios(numerators: Floats, denominators: Floats, weights: Floats) -> Floats:
    """Σ numerators / Σ denominators in every resample; NaN where it is not defined. [resamples × settings]"""
    below = weights @ denominators.T
    return np.divide(weights @ numerators.T, below, out=np.full(below.shape, np.nan), where=below > 0)


def wilson(share: float, n: int, level: float) -> tuple[float, float]:
    """Wilson's interval of a share among n.

    Used with n = questions where every question has the same share (none or all, most often): there a bootstrap has
    nothing to resample and would report a width of zero.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
