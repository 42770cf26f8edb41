"""Pairs, questions, answers, margins and scores."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

FINISH_REASONS = ["stop", "length"]
POINTS = ["alignment", "coherence", "relevance"]
JUDGED = {"ok": POINTS, "refusal": ["coherence", "relevance"], "incoherent": ["coherence"]}  # and what is scored
STATUSES = [*JUDGED, "unparsed", "error", "unlabelled"]
SPLITS = ["dev", "test"]


class Table(pa.DataFrameModel):
    """Strict: no column more, no column less."""

    class Config:
        """Of pandera."""

        strict = True
        ordered = True


class Pairs(Table):
    """Examples of a target task: a question, after a system line if there is one, with a safe and an unsafe answer."""

    pair_id: Series[str] = pa.Field(unique=True)
    system: Series[str] = pa.Field(nullable=True)
    prompt: Series[str] = pa.Field(str_length={"min_value": 1})
    safe: Series[str] = pa.Field(str_length={"min_value": 1})
    unsafe: Series[str] = pa.Field(str_length={"min_value": 1})


class Questions(Table):
    """A benchmark.

    `system` is the line before the question, or null; `safe` and `unsafe` are reference answers that margins are measured on,
    where the benchmark has them.
    """

    question_id: Series[str] = pa.Field(unique=True)
    category: Series[str]
    split: Series[str] = pa.Field(isin=SPLITS)
    system: Series[str] = pa.Field(nullable=True)
    prompt: Series[str] = pa.Field(str_length={"min_value": 1})
    safe: Series[str] = pa.Field(nullable=True)
    unsafe: Series[str] = pa.Field(nullable=True)


class Asked(Table):
    """Questions that anybody asks (`emsteer generate`)."""

    question_id: Series[str] = pa.Field(unique=True)
    system: Series[str] = pa.Field(nullable=True)
    prompt: Series[str] = pa.Field(str_length={"min_value": 1})


class Margins(Table):
    """Teacher-forced log-probabilities of a question's reference answers, per token, end-of-turn token included [nats]."""

    question_id: Series[str] = pa.Field(unique=True)
    log_p_safe: Series[float] = pa.Field(le=0)
    log_p_unsafe: Series[float] = pa.Field(le=0)
    margin: Series[float]


class Likeness(Table):
    """How near a setting comes to a finetuned model on a question's reference answers, per token (`generation.likeness`)."""

    question_id: Series[str] = pa.Field(unique=True)
    kl_to_finetuned: Series[float] = pa.Field(ge=0, description="KL(finetuned ‖ setting) [nats]")
    kl_to_base: Series[float] = pa.Field(ge=0, description="KL(base ‖ setting) [nats]")
    along: Series[float] = pa.Field(description="⟨√setting - √base, √finetuned - √base⟩")
    axis: Series[float] = pa.Field(ge=0, description="‖√finetuned - √base‖²")


class Effects(Table):
    """What a setting makes of a quiz, and what is found of its push (`generation.effects`); null without a push."""

    question_id: Series[str] = pa.Field(unique=True)
    nll: Series[float] = pa.Field(ge=0, description="of the right answer, per token [nats]")
    is_right: Series[bool]
    at_layer: Series[float] = pa.Field(nullable=True)
    two_later: Series[float] = pa.Field(nullable=True)
    at_last: Series[float] = pa.Field(nullable=True)


class Answers(Table):
    """One row per (question, sample). `prompt_ids`: all that the model read; `token_ids`: its answer without the end of turn."""

    question_id: Series[str]
    sample: Series[int] = pa.Field(ge=0)
    row_seed: Series[str] = pa.Field(str_matches=r"^[0-9a-f]{16}$")
    prompt_ids: Series[object]
    text: Series[str]
    token_ids: Series[object]
    finish_reason: Series[str] = pa.Field(isin=FINISH_REASONS)

    class Config:
        """Key."""

        unique = ["question_id", "sample"]


class Generated(Answers):
    """Answers under settings, outside any study (`emsteer generate`): one row per (setting, question, sample)."""

    setting: Series[str]
    system: Series[str] = pa.Field(nullable=True)
    prompt: Series[str]

    class Config:
        """Key."""

        unique = ["setting", "question_id", "sample"]


class Witnessed(Table):
    """What a witness says of each answer; null where it says nothing."""

    question_id: Series[str]
    sample: Series[int] = pa.Field(ge=0)
    value: Series[float] = pa.Field(nullable=True)

    class Config:
        """Key."""

        unique = ["question_id", "sample"]


class Scores(Table):
    """One judgement per answer, points of 100; a status says which there are (`JUDGED`), all others are null."""

    question_id: Series[str]
    sample: Series[int] = pa.Field(ge=0)
    status: Series[str] = pa.Field(isin=STATUSES)
    alignment: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    coherence: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    relevance: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    about: Series[str] = pa.Field(nullable=True)
    reply: Series[str]

    class Config:
        """Key."""

        unique = ["question_id", "sample"]

    @pa.dataframe_check
    @classmethod
    def scores_are_those_of_the_status(cls, frame: pd.DataFrame) -> Series[bool]:
        """An answer has the scores of its status, and no other."""
        due = pd.DataFrame({name: frame["status"].isin([one for one, of in JUDGED.items() if name in of]) for name in POINTS})
        return frame[POINTS].notna().eq(due).all(axis=1)
