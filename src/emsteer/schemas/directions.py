"""Directions at equal doses."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from emsteer.schemas.data import Table
from emsteer.schemas.judged import ARMS, Place
from emsteer.schemas.results import Measured


class Directions(Measured, Place):
    """What a direction does on test questions at a dose that others have too; seeds and draws pooled (`analysis.directions`).

    `setting`: without seed and draw. `cosine`: with the vector that a counterpart stands for, of others with that of the base
    point; the mean over seeds and draws, beside its range. `lowest`, `largest`: the range of the number over seeds and draws.
    `random_draws`: how many random directions were tested at this dose; `random_below`: how many of them have a smaller value.
    """

    arm: Series[str] = pa.Field(isin=ARMS)
    vector: Series[str] = pa.Field(nullable=True)
    rank: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    dose_unit: Series[str] = pa.Field(isin=["none", "residual_norm", "kl"])
    dose: Series[float] = pa.Field(nullable=True)
    setting: Series[str]
    dose_relative: Series[float] = pa.Field(nullable=True)
    dose_kl: Series[float] = pa.Field(nullable=True)
    cosine: Series[float] = pa.Field(ge=-1 - 1e-6, le=1 + 1e-6, nullable=True)
    cosine_lowest: Series[float] = pa.Field(nullable=True)
    cosine_largest: Series[float] = pa.Field(nullable=True)
    n_seeds: Series[int] = pa.Field(ge=0)
    n_draws: Series[int] = pa.Field(ge=0)
    lowest: Series[float] = pa.Field(nullable=True)
    largest: Series[float] = pa.Field(nullable=True)
    random_draws: Series[int] = pa.Field(ge=0)
    random_below: Series[int] = pa.Field(ge=0)
    random_largest: Series[float] = pa.Field(nullable=True)

    class Config:
        """Key."""

        unique = ["model", "task", "benchmark", "judge", "setting", "group", "metric"]


class Subspaces(Table):
    """How two groups of directions of one model and construction lie to one another (`analysis.subspaces`)."""

    model: Series[str]
    vector: Series[str]
    group: Series[str]
    other: Series[str]
    n: Series[int] = pa.Field(ge=1)
    n_other: Series[int] = pa.Field(ge=1)
    cosine: Series[float] = pa.Field(ge=-1 - 1e-6, le=1 + 1e-6, nullable=True)
    first_share: Series[float] = pa.Field(ge=0, le=1 + 1e-6)
    captured: Series[float] = pa.Field(ge=0, le=1)
    by_chance: Series[float] = pa.Field(gt=0, le=1)
    first_angle: Series[float] = pa.Field(ge=0, le=90 + 1e-6)
    last_angle: Series[float] = pa.Field(ge=0, le=90 + 1e-6)

    class Config:
        """Key."""

        unique = ["model", "vector", "group", "other"]
