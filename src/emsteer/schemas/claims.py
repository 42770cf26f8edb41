"""Evidence and claims."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from emsteer.recipes import VERDICTS
from emsteer.schemas.data import Table
from emsteer.schemas.results import Differences

DIRECTIONS = ["more", "less", "same"]


class Evidence(Differences):
    """One comparison that a claim rests on; shares or points of 100, as `metric` says. Rules: `analysis.evidence`.

    `subject`: what has a verdict of its own; `member`: which of the axis that the claim is counted over. `smallest_effect`: of
    the declaration. `k_seeds`: of `n_seeds` that show the claim by themselves. `smallest_seen`: the difference that would have
    been told from none in 4 of 5 such runs; of a claim of sameness, the smallest effect at which it would be one.
    """

    claim: Series[str]
    subject: Series[str]
    member: Series[str]
    metric: Series[str]
    direction: Series[str] = pa.Field(isin=DIRECTIONS)
    value: Series[float] = pa.Field(nullable=True)
    reference: Series[float] = pa.Field(nullable=True)
    smallest_effect: Series[float] = pa.Field(gt=0)
    smallest_seen: Series[float] = pa.Field(ge=0, nullable=True)
    n_seeds: Series[int] = pa.Field(ge=0)
    k_seeds: Series[int] = pa.Field(ge=0)
    verdict: Series[str] = pa.Field(isin=list(VERDICTS))
    missing: Series[str]
    setting: Series[str]
    reference_setting: Series[str]
    family: Series[str]
    benchmark: Series[str]
    judge: Series[str]

    class Config:
        """Key."""

        unique = ["claim", "subject", "member", "benchmark", "judge"]

    @pa.dataframe_check
    @classmethod
    def only_what_was_not_tested_has_no_difference(cls, frame: pd.DataFrame) -> Series[bool]:
        """Something is missing there."""
        untested = frame["verdict"].eq("not tested")
        return untested.eq(frame["difference"].isna()) & untested.eq(frame["missing"].ne(""))

    @pa.dataframe_check
    @classmethod
    def a_difference_is_of_the_numbers_beside_it(cls, frame: pd.DataFrame) -> Series[bool]:
        """All three are of the questions that were compared."""
        return frame["difference"].isna() | (frame["value"] - frame["reference"] - frame["difference"]).abs().lt(1e-9)


class Claims(Table):
    """One verdict per claim, subject, benchmark and judge.

    `n_held`: of `n_compared` comparisons. `declared`: the day on which the claim was written as it stands, by its author.
    `digest`: of what decides it.
    """

    claim: Series[str]
    subject: Series[str]
    verdict: Series[str] = pa.Field(isin=list(VERDICTS))
    why: Series[str]
    n_held: Series[int] = pa.Field(ge=0)
    n_compared: Series[int] = pa.Field(ge=1)
    says: Series[str]
    source: Series[str] = pa.Field(nullable=True)
    declared: Series[str]
    digest: Series[str]
    benchmark: Series[str]
    judge: Series[str]

    class Config:
        """Key."""

        unique = ["claim", "subject", "benchmark", "judge"]
