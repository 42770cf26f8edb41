"""Rates, contrasts, chosen settings, and how well witnesses agree with labels."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from emsteer.schemas.data import SPLITS, Table
from emsteer.schemas.judged import ARMS, RELATIONS, SETTING, Place, Settings

POINTS = ["base", "chosen", "chosen_with_layer", "largest_dose"]
LABELS = ["misaligned", "coherent", "relevant"]
INTERVALS = ["korn-graubard", "student", "none"]  # none: there is no answer, or one question that varies with nothing


class Measured(Table):
    """A number with its interval, and how much it hangs on failed judgements and on single questions (`analysis.estimates`).

    `n_excluded`: answers without a judgement, by how it ended `n_unparsed`, `n_error`, `n_unlabelled`; refusals and what was too
    incoherent to ask for more are judged. `bound_low`, `bound_high`: the number if failed judgements (`unparsed`, `error`) had all
    gone one way or the other, and with them, where a number is of scores that `incoherent` answers lack, these.
    `without_one_low`, `without_one_high`: the range of the number without one of the questions. `carried_by_two`: the share of
    its hits that two questions have.
    """

    group: Series[str]
    metric: Series[str]
    value: Series[float] = pa.Field(nullable=True)
    low: Series[float] = pa.Field(nullable=True)
    high: Series[float] = pa.Field(nullable=True)
    n: Series[int] = pa.Field(ge=0)
    n_excluded: Series[int] = pa.Field(ge=0)
    n_refusal: Series[int] = pa.Field(ge=0)
    n_incoherent: Series[int] = pa.Field(ge=0)
    n_unparsed: Series[int] = pa.Field(ge=0)
    n_error: Series[int] = pa.Field(ge=0)
    n_unlabelled: Series[int] = pa.Field(ge=0)
    n_questions: Series[int] = pa.Field(ge=0)
    bound_low: Series[float] = pa.Field(nullable=True)
    bound_high: Series[float] = pa.Field(nullable=True)
    design_effect: Series[float] = pa.Field(ge=0, nullable=True)
    without_one_low: Series[float] = pa.Field(nullable=True)
    without_one_high: Series[float] = pa.Field(nullable=True)
    carried_by_two: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    interval: Series[str] = pa.Field(isin=INTERVALS)

    @pa.dataframe_check
    @classmethod
    def empty_groups_are_null(cls, frame: pd.DataFrame) -> Series[bool]:
        """No answers: no number. Some answers: a number inside its interval, which one question alone may lack."""
        inside = (frame["low"] <= frame["value"] + 1e-9) & (frame["value"] <= frame["high"] + 1e-9)
        of_one = frame["interval"].eq("none") & frame["n_questions"].eq(1) & frame["value"].notna()
        inside |= of_one & frame["low"].isna() & frame["high"].isna()
        return (frame["n"].eq(0) & frame["value"].isna()) | (frame["n"].gt(0) & inside)


class Rates(Measured, Settings):
    """One number per setting, split, group of questions and metric."""

    class Config:
        """Key."""

        unique = [*SETTING, "split", "group", "metric"]


class SideEffects(Rates):
    """What else a setting does, beside its EM (`analysis.effects`); `broken`, `is_shown`: null where nothing broken was read."""

    broken: Series[float] = pa.Field(nullable=True)
    is_shown: Series[pd.BooleanDtype] = pa.Field(nullable=True)


class Differences(Table):
    """A difference, by itself and with its family (`analysis.comparisons`).

    `bound_low`, `bound_high`: the difference if failed judgements had all gone one way on one side, and the other on the other.
    """

    difference: Series[float] = pa.Field(nullable=True)
    low: Series[float] = pa.Field(nullable=True)
    high: Series[float] = pa.Field(nullable=True)
    simultaneous_low: Series[float] = pa.Field(nullable=True)
    simultaneous_high: Series[float] = pa.Field(nullable=True)
    p_sign_flip: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    p_wilcoxon: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    p_holm: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    n_family: Series[int] = pa.Field(ge=0)
    n_questions: Series[int] = pa.Field(ge=0)
    bound_low: Series[float] = pa.Field(nullable=True)
    bound_high: Series[float] = pa.Field(nullable=True)

    @pa.dataframe_check
    @classmethod
    def a_family_makes_nothing_surer(cls, frame: pd.DataFrame) -> Series[bool]:
        """A difference lies in its interval, and that in the simultaneous one; a corrected p value is no smaller."""
        order = ["simultaneous_low", "low", "difference", "high", "simultaneous_high"]
        inside = np.logical_and.reduce([frame[a] <= frame[b] + 1e-9 for a, b in pairwise(order)])
        known = inside & frame["p_holm"].ge(frame["p_sign_flip"] - 1e-12) & frame["n_questions"].ge(1) & frame["n_family"].ge(1)
        return known | (frame[order].isna().all(axis=1) & frame["n_questions"].eq(0))


class Contrasts(Differences, Settings):
    """On-topic EM of a treated setting minus that of a reference, on the same questions.

    `reference_setting`: null where several are taken together. `in_domain_em`: of both on in-domain dev questions.
    """

    reference: Series[str] = pa.Field(isin=["base", "random", "finetuned", "beneath"])
    reference_setting: Series[str] = pa.Field(nullable=True)
    in_domain_em: Series[float] = pa.Field(nullable=True)
    reference_in_domain_em: Series[float] = pa.Field(nullable=True)

    class Config:
        """Key."""

        unique = [*SETTING, "split", "reference"]

    @pa.check("difference")
    @classmethod
    def every_contrast_was_measured(cls, difference: pd.Series) -> Series[bool]:
        """A setting without a reference has no row."""
        return difference.notna()


class Chosen(Measured, Place):
    """An arm at its chosen dose, at its chosen layer and dose, at its largest dose, or untreated: test questions, seeds pooled.

    `treatment`: the vector or adapter. `setting`: without its seed. `by_seed`: the value of every seed. `dev`: the value on dev
    questions; `optimism`: that minus the value on test questions. `random_draws`: how
    many random directions were tested at this setting; `random_below`: how many of them have a smaller value.
    """

    arm: Series[str] = pa.Field(isin=ARMS)
    treatment: Series[str]
    point: Series[str] = pa.Field(isin=POINTS)
    setting: Series[str]
    layer: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    steps: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    dose: Series[float] = pa.Field(nullable=True)
    dose_relative: Series[float] = pa.Field(nullable=True)
    planted_breadth: Series[float] = pa.Field(nullable=True)
    n_seeds: Series[int] = pa.Field(ge=1)
    by_seed: Series[str]
    dev: Series[float] = pa.Field(nullable=True)
    optimism: Series[float] = pa.Field(nullable=True)
    random_draws: Series[int] = pa.Field(ge=0)
    random_below: Series[int] = pa.Field(ge=0)
    random_largest: Series[float] = pa.Field(nullable=True)

    class Config:
        """Key."""

        unique = ["model", "task", "benchmark", "judge", "arm", "treatment", "point", "group", "metric"]


class ByQuestion(Place):
    """What one question was answered with at a setting of `Chosen`, seeds pooled.

    Shares are of the judged answers to this question; `low` and `high` are Wilson's, as if they were independent. Null without a
    judged answer; of `on_topic_em` also where the question is in-domain.
    """

    arm: Series[str] = pa.Field(isin=ARMS)
    treatment: Series[str]
    point: Series[str] = pa.Field(isin=POINTS)
    setting: Series[str]
    split: Series[str] = pa.Field(isin=SPLITS)
    category: Series[str]
    relation: Series[str] = pa.Field(isin=RELATIONS)
    question_id: Series[str]
    prompt: Series[str]
    n: Series[int] = pa.Field(ge=0)
    n_excluded: Series[int] = pa.Field(ge=0)
    on_topic_em: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    em: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    low: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    high: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    coverage: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    harmful: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    alignment: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    coherence: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    relevance: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    margin: Series[float] = pa.Field(nullable=True)

    class Config:
        """Key."""

        unique = ["model", "task", "benchmark", "judge", "arm", "treatment", "point", "question_id"]


class Agreement(Place):
    """How well the values of a witness tell labelled answers apart.

    `auc`: of a pair of answers, one with the label and one without, how often the labelled one has the larger value (equals
    count half); null without such a pair. `scope`: `all` pairs, pairs `within settings`, or those of one arm.
    """

    witness: Series[str]
    label: Series[str] = pa.Field(isin=LABELS)
    scope: Series[str] = pa.Field(isin=["all", "within settings", *ARMS])
    auc: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    low: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    high: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    n_with: Series[int] = pa.Field(ge=0)
    n_without: Series[int] = pa.Field(ge=0)
    n_questions: Series[int] = pa.Field(ge=0)

    class Config:
        """Key."""

        unique = ["model", "task", "benchmark", "judge", "witness", "label", "scope"]
