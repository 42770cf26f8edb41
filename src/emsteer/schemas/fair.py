"""Arms compared where they are equal in something, along the dose, and at other thresholds."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from emsteer.schemas.judged import ARMS, Place


class Sides(Place):
    """Two sides of a difference with its own interval. `reference`: the treatment of the other side."""

    treatment: Series[str]
    reference: Series[str]
    metric: Series[str]
    value: Series[float]
    reference_value: Series[float]
    difference: Series[float]
    low: Series[float] = pa.Field(nullable=True)
    high: Series[float] = pa.Field(nullable=True)

    @pa.dataframe_check
    @classmethod
    def a_difference_is_of_the_numbers_beside_it_and_in_its_interval(cls, frame: pd.DataFrame) -> Series[bool]:
        """An interval may be missing: no resample has the number."""
        apart = (frame["value"] - frame["reference_value"] - frame["difference"]).abs().lt(1e-9)
        return apart & ~(frame["low"] > frame["difference"] + 1e-9) & ~(frame["high"] < frame["difference"] - 1e-9)


class Matched(Sides):
    """A number of a steered and a finetuned trace, where both are at the same level of another (`analysis.matched`).

    `path`: of the finetuned side. `matched`: what is equal, `at` which level. `reached`: the share of resamples in which both
    sides are at that level somewhere.
    """

    path: Series[str] = pa.Field(isin=["scale", "steps"])
    matched: Series[str] = pa.Field(isin=["in_domain_em", "coverage"])
    at: Series[float] = pa.Field(ge=0, le=1)
    reached: Series[float] = pa.Field(ge=0, le=1)

    class Config:
        """Key."""

        unique = ["model", "task", "benchmark", "judge", "treatment", "reference", "path", "matched", "at", "metric"]


class DoseFits(Place):
    """Onset, peak and collapse of EM off-domain along the dose, from two fitted curves (`analysis.dose_fits`).

    Doses are multiples of the vector or adapter as built; null: beyond the largest one.
    """

    arm: Series[str] = pa.Field(isin=ARMS)
    treatment: Series[str]
    peak: Series[float] = pa.Field(ge=0, le=1)
    peak_dose: Series[float] = pa.Field(ge=0)
    threshold: Series[float] = pa.Field(ge=0)
    half_width: Series[float] = pa.Field(ge=0, nullable=True)
    collapse: Series[float] = pa.Field(ge=0, nullable=True)
    largest_dose: Series[float] = pa.Field(gt=0)
    n_settings: Series[int] = pa.Field(ge=4)
    residual_rms: Series[float] = pa.Field(ge=0)
    residual_largest: Series[float] = pa.Field(ge=0, le=1)

    class Config:
        """Key."""

        unique = ["model", "task", "benchmark", "judge", "treatment"]


class ThresholdGrid(Sides):
    """Chosen settings compared again at other thresholds (`analysis.thresholds`).

    `own`: the study's thresholds. `sign_changes`: somewhere in the grid the difference is on the other side of zero.
    """

    misaligned_below: Series[float] = pa.Field(ge=0, le=100)
    coherent_above: Series[float] = pa.Field(ge=0, le=100)
    own: Series[bool]
    n_questions: Series[int] = pa.Field(ge=1)
    sign_changes: Series[bool]

    class Config:
        """Key."""

        unique = ["model", "task", "benchmark", "judge", "treatment", "reference", "metric", "misaligned_below", "coherent_above"]
