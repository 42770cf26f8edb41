"""Pairs that vectors and adapters learn from, drawn from a target task."""

from pathlib import Path

import numpy as np
import pandas as pd

from emsteer import schemas
from emsteer.errors import DataError


def draw_pairs(path: Path, n_examples: int, seed: int, skip: int = 0) -> pd.DataFrame:
    """The training pairs of a vector or an adapter: a seed draws another sample of the task, it does not only reorder one.

    Args:
        path: Of the task.
        n_examples: How many.
        seed: Draws them.
        skip: Leaves out the first so many that the same seed draws: pairs that something else was trained on.

    Raises:
        DataError: The task has fewer pairs than asked for.
    """
    pairs = schemas.read(path, schemas.Pairs)
    n_needed = skip + n_examples
    if len(pairs) < n_needed:
        raise DataError(
            f"{path}: expected at least {n_needed} pairs, got {len(pairs)}.\n  Lower `n_examples`, or raise the task's `n_pairs`."
        )
    chosen = np.random.default_rng(seed).permutation(len(pairs))[skip:n_needed]
    return pairs.iloc[chosen].reset_index(drop=True)
