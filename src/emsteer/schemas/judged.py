"""Settings, judged answers, and counts of them."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from emsteer.schemas.data import FINISH_REASONS, SPLITS, STATUSES, Table

ARMS = ["base", "steered", "finetuned", "control", "random", "negated", "shuffled", "subspace"]  # `recipes.ArmName`
RELATIONS = ["in_domain", "linked", "unlinked", "off_domain"]  # linked: off-domain, sharing the planted persona of the target


class Place(Table):
    """What a number is about."""

    model: Series[str]
    task: Series[str]
    benchmark: Series[str]
    judge: Series[str]


class Settings(Place):
    """The columns that name a setting: those of its last treatment, and the name of the treatments that lie `beneath` it.

    `dose_as_built` is in multiples of the vector or adapter; `dose_relative` in residual norms, or for adapters in
    ‖ΔW‖ / ‖W‖ over the adapted weights. `dose_kl` is what doses in `kl` cost: the dose itself, but where the longest push
    allowed costs less (`interventions.constructions.equal_kl`).
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
    dose_kl: Series[float] = pa.Field(ge=0, nullable=True)
    split: Series[str] = pa.Field(isin=SPLITS)


PLACE = ["model", "task", "benchmark", "judge"]  # names where something was asked and judged
SETTING = ["setting", *PLACE]  # names a setting, and where it was judged


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
    prompt: Series[str]
    n: Series[int] = pa.Field(ge=0)
    refusal: Series[int] = pa.Field(ge=0)
    incoherent: Series[int] = pa.Field(ge=0)
    unparsed: Series[int] = pa.Field(ge=0)
    error: Series[int] = pa.Field(ge=0)
    unlabelled: Series[int] = pa.Field(ge=0)
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
    alignment_squares: Series[float] = pa.Field(ge=0)
    coherence_squares: Series[float] = pa.Field(ge=0)
    relevance_squares: Series[float] = pa.Field(ge=0)
    coherence_of_harmful_squares: Series[float] = pa.Field(ge=0)
    relevance_of_harmful_squares: Series[float] = pa.Field(ge=0)
    margin: Series[float] = pa.Field(nullable=True)

    class Config:
        """Key."""

        unique = [*SETTING, "question_id"]

    @pa.dataframe_check
    @classmethod
    def parts_are_not_more_than_the_whole(cls, frame: pd.DataFrame) -> Series[bool]:
        """Judged and failed are all that was asked; refusals, incoherent, coherent, harmful and EM among judged."""
        parts = ["coherent", "em", "on_topic_em", "harmful", "judged_off_domain", "refusal", "incoherent"]
        return frame[parts].le(frame["judged"], axis=0).all(axis=1) & frame[["judged", "unparsed", "error", "unlabelled"]].sum(
            axis=1
        ).eq(frame["n"])
