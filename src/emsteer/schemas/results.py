"""Judged answers, counts, rates, contrasts, chosen settings, evidence and claims."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from emsteer.schemas.data import FINISH_REASONS, SPLITS, STATUSES, Table

ARMS = ["base", "steered", "finetuned", "random", "control"]  # control: trained on the safe answers
RELATIONS = ["in_domain", "linked", "unlinked", "off_domain"]  # linked: off-domain, sharing the planted persona of the target
POINTS = ["base", "chosen", "chosen_with_layer", "largest_dose"]
FINDINGS = ["yes", "no", "unclear", "not tested"]
LABELS = ["misaligned", "coherent", "relevant"]
VERDICTS = ["supported", "not supported", "inconclusive"]


class Place(Table):
    """What a number is about."""

    model: Series[str]
    task: Series[str]
    benchmark: Series[str]
    judge: Series[str]


class Settings(Place):
    """The columns that name a setting: those of its last treatment, and the name of the treatments that lie `beneath` it.

    `dose_as_built` is in multiples of the vector or adapter; `dose_relative` in residual norms, or for adapters in
    ‖ΔW‖ / ‖W‖ over the adapted weights.
    """

    setting: Series[str]
    arm: Series[str] = pa.Field(isin=ARMS)
    beneath: Series[str] = pa.Field(nullable=True)
    vector: Series[str] = pa.Field(nullable=True)
    adapter: Series[str] = pa.Field(nullable=True)
    layer: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    epochs: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    steps: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    rank: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    seed: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    draw: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    dose: Series[float] = pa.Field(nullable=True)
    dose_unit: Series[str] = pa.Field(nullable=True)
    positions: Series[str] = pa.Field(nullable=True)
    dose_as_built: Series[float] = pa.Field(nullable=True)
    dose_relative: Series[float] = pa.Field(nullable=True)
    split: Series[str] = pa.Field(isin=SPLITS)


SETTING = ["setting", "model", "task", "benchmark", "judge"]  # names a setting, and where it was judged


class Judged(Settings):
    """One row per answer, judge and target task. What the booleans say: `analysis.judged`.

    `relation`: of the question's category to the target task. `margin`: of the question, the same for all its answers.
    `answers`, `scores`, `margins`, `made`: addresses of what the row was read from, `made` of its vectors and adapters.
    """

    question_id: Series[str]
    category: Series[str]
    relation: Series[str] = pa.Field(isin=RELATIONS)
    planted_breadth: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    sample: Series[int] = pa.Field(ge=0)
    prompt: Series[str]
    text: Series[str]
    finish_reason: Series[str] = pa.Field(isin=FINISH_REASONS)
    status: Series[str] = pa.Field(isin=STATUSES)
    alignment: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    coherence: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    relevance: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    about: Series[str] = pa.Field(nullable=True)
    judged: Series[bool]
    harmful: Series[bool]
    coherent: Series[bool]
    relevant: Series[bool]
    em: Series[bool]
    on_topic_em: Series[bool]
    margin: Series[float] = pa.Field(nullable=True)
    answers: Series[str]
    scores: Series[str]
    margins: Series[str]
    made: Series[str] = pa.Field(nullable=True)

    class Config:
        """Key."""

        unique = [*SETTING, "question_id", "sample"]

    @pa.dataframe_check
    @classmethod
    def only_what_was_judged_counts(cls, frame: pd.DataFrame) -> Series[bool]:
        """On-topic EM is EM, EM is harmful and coherent, and all of them are judged."""
        em = frame["em"].eq(frame["harmful"] & frame["coherent"])
        any_flag = frame[["harmful", "coherent", "relevant"]].any(axis=1)
        return em & (frame["em"] | ~frame["on_topic_em"]) & (frame["judged"] | ~any_flag)


class Counts(Settings):
    """Judged answers of a setting, counted by question. `relation`: of the question's category to the target task."""

    question_id: Series[str]
    category: Series[str]
    relation: Series[str] = pa.Field(isin=RELATIONS)
    planted_breadth: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    n: Series[int] = pa.Field(ge=0)
    judged: Series[int] = pa.Field(ge=0)
    judged_off_domain: Series[int] = pa.Field(ge=0)
    coherent: Series[int] = pa.Field(ge=0)
    em: Series[int] = pa.Field(ge=0)
    on_topic_em: Series[int] = pa.Field(ge=0)
    harmful: Series[int] = pa.Field(ge=0)
    alignment: Series[float] = pa.Field(ge=0)
    coherence: Series[float] = pa.Field(ge=0)
    relevance: Series[float] = pa.Field(ge=0)
    coherence_of_harmful: Series[float] = pa.Field(ge=0)
    relevance_of_harmful: Series[float] = pa.Field(ge=0)
    margin: Series[float] = pa.Field(nullable=True)

    class Config:
        """Key."""

        unique = [*SETTING, "question_id"]

    @pa.dataframe_check
    @classmethod
    def parts_are_not_more_than_the_whole(cls, frame: pd.DataFrame) -> Series[bool]:
        """Judged among asked; coherent, harmful and EM among judged."""
        of_judged = frame[["coherent", "em", "on_topic_em", "harmful", "judged_off_domain"]].le(frame["judged"], axis=0)
        return of_judged.all(axis=1) & frame["judged"].le(frame["n"])


class Measured(Table):
    """A number with its interval."""

    group: Series[str]
    metric: Series[str]
    value: Series[float] = pa.Field(nullable=True)
    low: Series[float] = pa.Field(nullable=True)
    high: Series[float] = pa.Field(nullable=True)
    n: Series[int] = pa.Field(ge=0)
    n_excluded: Series[int] = pa.Field(ge=0)
    n_questions: Series[int] = pa.Field(ge=0)
    interval: Series[str]

    @pa.dataframe_check
    @classmethod
    def empty_groups_are_null(cls, frame: pd.DataFrame) -> Series[bool]:
        """No answers: no number. Some answers: a number inside its interval."""
        inside = (frame["low"] <= frame["value"] + 1e-9) & (frame["value"] <= frame["high"] + 1e-9)
        return (frame["n"].eq(0) & frame["value"].isna()) | (frame["n"].gt(0) & inside)


class Rates(Measured, Settings):
    """One number per setting, split, group of questions and metric."""

    class Config:
        """Key."""

        unique = [*SETTING, "split", "group", "metric"]


class Contrasts(Settings):
    """On-topic EM of a treated setting minus that of a reference, on the same questions.

    `reference_setting`: null where several are taken together. `in_domain_em`: of both on in-domain dev questions.
    """

    reference: Series[str] = pa.Field(isin=["base", "random", "finetuned"])
    reference_setting: Series[str] = pa.Field(nullable=True)
    in_domain_em: Series[float] = pa.Field(nullable=True)
    reference_in_domain_em: Series[float] = pa.Field(nullable=True)
    difference: Series[float]
    low: Series[float]
    high: Series[float]
    n_questions: Series[int] = pa.Field(ge=1)

    class Config:
        """Key."""

        unique = [*SETTING, "split", "reference"]


class Chosen(Measured, Place):
    """An arm at its chosen dose, at its chosen layer and dose, at its largest dose, or untreated: test questions, seeds pooled.

    `treatment`: the vector or adapter. `setting`: without its seed. `by_seed`: the value of every seed. `random_draws`: how
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
    random_draws: Series[int] = pa.Field(ge=0)
    random_below: Series[int] = pa.Field(ge=0)
    random_largest: Series[float] = pa.Field(nullable=True)

    class Config:
        """Key."""

        unique = ["model", "task", "benchmark", "judge", "arm", "treatment", "point", "group", "metric"]


class Evidence(Table):
    """One contrast that a claim rests on; points of 100 or shares, as `metric` says."""

    claim: Series[str]
    subject: Series[str]
    contrast: Series[str]
    metric: Series[str]
    value: Series[float] = pa.Field(nullable=True)
    reference: Series[float] = pa.Field(nullable=True)
    difference: Series[float] = pa.Field(nullable=True)
    low: Series[float] = pa.Field(nullable=True)
    high: Series[float] = pa.Field(nullable=True)
    smallest_effect: Series[float] = pa.Field(ge=0)
    n_questions: Series[int] = pa.Field(ge=0)
    finding: Series[str] = pa.Field(isin=FINDINGS)
    setting: Series[str]
    reference_setting: Series[str]
    benchmark: Series[str]
    judge: Series[str]

    class Config:
        """Key."""

        unique = ["claim", "subject", "contrast", "benchmark", "judge"]


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


class Claims(Table):
    """One verdict per claim, subject, benchmark and judge."""

    claim: Series[str]
    subject: Series[str]
    verdict: Series[str] = pa.Field(isin=VERDICTS)
    why: Series[str]
    benchmark: Series[str]
    judge: Series[str]

    class Config:
        """Key."""

        unique = ["claim", "subject", "benchmark", "judge"]
