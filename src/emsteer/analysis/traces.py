"""Traces: what an arm does along its dose, its steps or its scale, from the untreated model on, at the base point otherwise.

A trace is a path of settings, seeds pooled, on test questions: of a vector along its dose as built, of an adapter along its scale
(at the base point's steps) and along its steps (at scale 1).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from emsteer.analysis.estimates import Floats
from emsteer.analysis.measures import Block, blocks, pooled
from emsteer.analysis.selection import candidates
from emsteer.recipes import BasePoint


@dataclass(frozen=True)
class Trace:
    """One path.

    Attributes:
        treatment: The vector or adapter.
        path: `dose`, `scale` or `steps`.
        at: Doses, scales or steps; the untreated model is at 0. [settings]
        block: Its settings in that order.
    """

    arm: str
    treatment: str
    path: str
    at: Floats
    block: Block


def traces(of_place: pd.DataFrame, base_point: BasePoint) -> Iterator[Trace]:
    """Those of one model, target task, benchmark and judge that have at least two treated settings."""
    tested = of_place[of_place["split"].eq("test")]
    base = tested[tested["arm"].eq("base")]
    at_base = candidates(tested, base_point)
    here = at_base["model"].map(base_point.layer_of)
    steered = at_base[at_base["vector"].notna() & at_base["layer"].eq(here).fillna(False)]
    paths = [(name, "dose", "dose_as_built", of) for name, of in steered.groupby("vector", sort=False)]
    paths += [(name, "scale", "dose", of) for name, of in at_base.groupby("adapter", sort=False)]
    tuned = tested[tested["adapter"].notna() & tested["beneath"].isna() & tested["dose"].eq(1).fillna(False)]
    paths += [(name, "steps", "steps", of) for name, of in tuned.groupby("adapter", sort=False)]
    for name, path, along, of in paths:
        treated = of[of[along].gt(0).fillna(False)]
        at = np.sort(treated[along].astype(float).unique())
        if len(at) > 1 and len(base):
            parts = [pooled(base, "0"), *(pooled(treated[treated[along].eq(value)], str(value)) for value in at)]
            block = next(blocks(pd.concat(parts, ignore_index=True)))
            yield Trace(str(treated["arm"].iloc[0]), str(name), path, np.concatenate([[0.0], at]), block)
