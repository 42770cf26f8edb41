"""How unrelated questions are to target tasks, and harm by that and by what was planted."""

import pandera.pandas as pa
from pandera.typing import Series

from emsteer.schemas.data import SPLITS, Table
from emsteer.schemas.judged import ARMS, PLACE, Place
from emsteer.schemas.results import POINTS

AGAINST = ["off_domain", "in_domain", "other_task", "own"]
COSINE = 1.000001  # with what rounding leaves


class Distances(Table):
    """Every question seen from every task, by cosines in the space of an embedder (`analysis.distances`)."""

    embedder: Series[str]
    task: Series[str]
    benchmark: Series[str]
    question_id: Series[str]
    category: Series[str]
    split: Series[str] = pa.Field(isin=SPLITS)
    in_domain: Series[bool]
    nearest: Series[float] = pa.Field(ge=-COSINE, le=COSINE, description="cosine to the nearest prompt of the task")
    mean: Series[float] = pa.Field(ge=-COSINE, le=COSINE, description="mean cosine to its prompts")
    own_share: Series[float] = pa.Field(ge=0, le=1, description="of the task's own prompts, that are no nearer to the others of it")
    overlaps: Series[bool]
    about: Series[str] = pa.Field(
        nullable=True, description="the category whose other questions it is nearest to; null without others"
    )
    nearest_prompt: Series[str]
    prompt: Series[str]

    class Config:
        """Key."""

        unique = ["embedder", "task", "benchmark", "question_id"]


class Relatedness(Table):
    """Every task and what it is compared with (`analysis.relatedness`); null where there are too few texts."""

    embedder: Series[str]
    task: Series[str]
    against: Series[str] = pa.Field(isin=AGAINST)
    name: Series[str] = pa.Field(description="of the benchmark or task")
    n_prompts: Series[int] = pa.Field(ge=1, description="different prompts of the task")
    n: Series[int] = pa.Field(ge=1, description="different texts that they are compared with")
    nearest: Series[float] = pa.Field(ge=-COSINE, le=COSINE)
    mean: Series[float] = pa.Field(ge=-COSINE, le=COSINE)
    overlapping: Series[float] = pa.Field(ge=0, le=1, description="share of the texts")
    auc: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    mmd: Series[float] = pa.Field(nullable=True, description="squared, unbiased: it may be negative")
    mmd_null: Series[float] = pa.Field(nullable=True, description="95th percentile under the null")
    p_mmd: Series[float] = pa.Field(gt=0, le=1, nullable=True)

    class Config:
        """Key."""

        unique = ["embedder", "task", "against", "name"]


class Falloff(Place):
    """A category of test questions at a setting of `ByQuestion`, and the line through the off-domain ones (`analysis.falloff`).

    The line (`slope` to `n_categories`) is the same in all rows of a setting; null where there are too few categories.
    """

    embedder: Series[str]
    arm: Series[str] = pa.Field(isin=ARMS)
    treatment: Series[str]
    point: Series[str] = pa.Field(isin=POINTS)
    setting: Series[str]
    category: Series[str]
    in_domain: Series[bool]
    n_questions: Series[int] = pa.Field(ge=1)
    n: Series[int] = pa.Field(ge=1, description="judged answers")
    nearest: Series[float] = pa.Field(ge=-COSINE, le=COSINE, description="cosine to the nearest prompt, mean over questions")
    value: Series[float] = pa.Field(ge=0, le=1, description="on-topic EM; of in-domain categories EM")
    slope: Series[float] = pa.Field(nullable=True, description="of the line, per 0.1 of cosine")
    slope_low: Series[float] = pa.Field(nullable=True)
    slope_high: Series[float] = pa.Field(nullable=True)
    at_zero: Series[float] = pa.Field(nullable=True, description="height of the line at a cosine of zero")
    n_categories: Series[int] = pa.Field(ge=0, description="off-domain, that it goes through")

    class Config:
        """Key."""

        unique = ["embedder", *PLACE, "arm", "treatment", "point", "category"]


class Recovery(Place):
    """An organism at base or at a setting of `Chosen`, and the line through its family (`analysis.recovery`).

    The line (`slope` to `n_breadths`) is the same in all rows of a family at one kind of setting; null where there are too few
    organisms, or all were planted alike.
    """

    family: Series[str] = pa.Field(description="one of the organisms that differ in nothing but seed and linkage")
    arm: Series[str] = pa.Field(isin=ARMS)
    treatment: Series[str]
    point: Series[str] = pa.Field(isin=POINTS)
    setting: Series[str]
    planted_breadth: Series[float] = pa.Field(ge=0, le=1)
    value: Series[float] = pa.Field(ge=0, le=1, description="on-topic EM of all off-domain test questions")
    low: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    high: Series[float] = pa.Field(ge=0, le=1, nullable=True)
    n_seeds: Series[int] = pa.Field(ge=1)
    slope: Series[float] = pa.Field(nullable=True, description="of the line [share of answers] per whole breadth")
    slope_low: Series[float] = pa.Field(nullable=True)
    slope_high: Series[float] = pa.Field(nullable=True)
    at_zero: Series[float] = pa.Field(nullable=True, description="height of the line where nothing is planted")
    rank_correlation: Series[float] = pa.Field(ge=-1.000001, le=1.000001, nullable=True, description="Kendall's tau-b")
    n_organisms: Series[int] = pa.Field(ge=1)
    n_breadths: Series[int] = pa.Field(ge=1, description="different ones among them")

    class Config:
        """Key."""

        unique = [*PLACE, "arm", "treatment", "point"]
