"""Intervals by resampling questions: answers to one question are not independent, questions are the sample.

The same seed gives the same resamples, so settings asked the same questions are compared pairwise.
"""

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from emsteer.recipes import Bootstrap

Floats = NDArray[np.float64]


@functools.cache
def resampled(n_questions: int, recipe: Bootstrap) -> Floats:
    """How often each question is drawn. [resamples × questions]"""
    generator = np.random.default_rng((recipe.seed, n_questions))
    return generator.multinomial(n_questions, np.full(n_questions, 1 / n_questions), size=recipe.n_resamples).astype(float)


def ratio_interval(numerators: Floats, denominators: Floats, weights: Floats, level: float) -> tuple[float, float]:
    """Percentile interval of Σ numerators / Σ denominators over questions. [questions] each; NaN where none is defined."""
    below = weights @ denominators
    defined = below > 0
    if not defined.any():
        return float("nan"), float("nan")
    ratios = (weights @ numerators)[defined] / below[defined]
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def wilson(share: float, n: int, level: float) -> tuple[float, float]:
    """Wilson's interval of a share among n.

    Used with n = questions where every question has the same share (none or all, most often): there a bootstrap has
    nothing to resample and would report a width of zero.
    """
    z = float(norm.ppf((1 + level) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
