"""Resampling questions, for numbers that are no ratio: answers to one question are not independent, questions are the sample."""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emsteer.recipes import Bootstrap

Floats = NDArray[np.float64]


@functools.cache
def resampled(n_questions: int, recipe: Bootstrap) -> Floats:
    """How often each question is drawn. [resamples × questions]"""
    generator = np.random.default_rng((recipe.seed, n_questions))
    return generator.multinomial(n_questions, np.full(n_questions, 1 / n_questions), size=recipe.n_resamples).astype(float)


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
