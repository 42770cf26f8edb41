"""Judges: whether they tell anchors apart, whether two of them agree, and rates corrected for their errors."""

import pandera.pandas as pa
from pandera.typing import Series

from emsteer.schemas.data import POINTS, SPLITS, Table
from emsteer.schemas.judged import ARMS


class Instruments(Table):
    """How well a judge's scores tell anchors apart (`analysis.instruments`). `n_failed`: anchors without this score."""

    benchmark: Series[str]
    judge: Series[str]
    score: Series[str] = pa.Field(isin=POINTS)
    auc: Series[float] = pa.Field(ge=0, le=1)
    low: Series[float] = pa.Field(ge=0, le=1)
    high: Series[float] = pa.Field(ge=0, le=1)
    n_high: Series[int] = pa.Field(ge=1)
    n_low: Series[int] = pa.Field(ge=1)
    n_failed: Series[int] = pa.Field(ge=0)
    n_questions: Series[int] = pa.Field(ge=1)
    least_auc: Series[float] = pa.Field(ge=0, le=1)
    works: Series[bool]

    class Config:
        """Key."""

        unique = ["benchmark", "judge", "score"]


class Judges(Table):
    """Two judges on the same stored answers (`analysis.judges`); null where there is nothing to compare, or nothing varies.

    `agreement`, `low`, `high`: κ of `em`, Spearman's correlation of points. `bias`: of the first judge against the other, a share
    or points of 100. `scope`: all answers, or those of one arm.
    """

    benchmark: Series[str]
    judge: Series[str]
    other: Series[str]
    scope: Series[str] = pa.Field(isin=["all", *ARMS])
    score: Series[str] = pa.Field(isin=["em", *POINTS])
    n: Series[int] = pa.Field(ge=0)
    n_questions: Series[int] = pa.Field(ge=0)
    agreement: Series[float] = pa.Field(ge=-1, le=1, nullable=True)
    low: Series[float] = pa.Field(ge=-1, le=1, nullable=True)
    high: Series[float] = pa.Field(ge=-1, le=1, nullable=True)
    bias: Series[float] = pa.Field(ge=-100, le=100, nullable=True)
    bias_low: Series[float] = pa.Field(ge=-100, le=100, nullable=True)
    bias_high: Series[float] = pa.Field(ge=-100, le=100, nullable=True)
    limit_low: Series[float] = pa.Field(nullable=True)
    limit_high: Series[float] = pa.Field(nullable=True)

    class Config:
        """Key."""

        unique = ["benchmark", "judge", "other", "scope", "score"]


class Corrected(Table):
    """Rates of a setting, corrected for the judge's errors by a reader's labels (`analysis.corrected`) [shares].

    `value`, `low`, `high`: the corrected rate, null where it is `refused`. `judge_value`: of all answers that the judge judged.
    `reader_value`: of the labelled ones. `bias`: judge - reader. `n_judge_only`, `n_reader_only`: labelled answers that one of them
    alone called so.
    """

    model: Series[str]
    task: Series[str]
    benchmark: Series[str]
    setting: Series[str]
    arm: Series[str] = pa.Field(isin=ARMS)
    split: Series[str] = pa.Field(isin=SPLITS)
    judge: Series[str]
    reader: Series[str]
    group: Series[str] = pa.Field(isin=["off_domain", "in_domain"])
    metric: Series[str] = pa.Field(isin=["on_topic_em", "em"])
    value: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    low: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    high: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    judge_value: Series[float] = pa.Field(ge=0, le=1)
    reader_value: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    reader_low: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    reader_high: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    bias: Series[float] = pa.Field(ge=-1, le=1, nullable=True)
    bias_low: Series[float] = pa.Field(ge=-1, le=1, nullable=True)
    bias_high: Series[float] = pa.Field(ge=-1, le=1, nullable=True)
    n: Series[int] = pa.Field(ge=1)
    n_questions: Series[int] = pa.Field(ge=1)
    n_labelled: Series[int] = pa.Field(ge=0)
    n_labelled_questions: Series[int] = pa.Field(ge=0)
    n_judge_only: Series[int] = pa.Field(ge=0)
    n_reader_only: Series[int] = pa.Field(ge=0)
    refused: Series[str] = pa.Field(nullable=True)

    class Config:
        """Key."""

        unique = ["model", "task", "benchmark", "setting", "split", "judge", "reader", "group", "metric"]
