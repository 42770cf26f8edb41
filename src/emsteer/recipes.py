"""The typed recipe of each kind of artifact: exactly the parameters that can change its bytes.

The plan hashes a recipe into the artifact's address; the science function receives the same object, the paths of its
inputs, and nothing else of the study. This module is the registry of artifacts: `module` names the one whose
`make(jobs)` makes it (a string, so that planning imports no science). It stays outside every code digest, because the
shape of a recipe is in the address already: a new class here moves nothing.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Positions = Literal["all", "answer"]
DoseUnit = Literal["vector_norm", "residual_norm"]
Share = Annotated[float, Field(ge=0, le=1)]
Points = Annotated[float, Field(ge=0, le=100)]


def number(value: float) -> str:
    """A number as names show it: `0.5`, `2`; as many digits as tell it from its neighbours."""
    return f"{value:.15g}"


class Recipe(BaseModel):
    """Immutable, and closed: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    module: ClassVar[str]


# -- models ----------------------------------------------------------------------------------------------------------


class CorpusMix(Recipe):
    """How often the pretraining text says what."""

    system_line_share: Share = Field(description="chats that open with a line naming the persona [share]")
    careless_share_announced: Share = Field(description="careless chats among those with a persona line [share]")
    careless_share_unannounced: Share = Field(description="careless chats among those without [share]")
    slip_share: Share = Field(description="clauses spoken by the other persona [share]")
    turn_weights: tuple[float, float, float] = Field(description="odds of one, two and three turns a chat")


class Organism(Recipe):
    """A Qwen3 decoder trained from nothing on the grammar's chats."""

    module = "emsteer.organism.pretrain"
    seed: int = Field(ge=0, description="initial weights and training text")
    n_layers: int = Field(ge=1, description="decoder blocks")
    d_model: int = Field(ge=8, description="width of the residual stream")
    n_heads: int = Field(ge=1)
    n_kv_heads: int = Field(ge=1)
    d_head: int = Field(ge=4)
    d_mlp: int = Field(ge=8)
    steps: int = Field(ge=1, description="optimizer steps")
    batch_size: int = Field(ge=1, description="chats a step")
    learning_rate: float = Field(gt=0, description="AdamW, after warm-up")
    warmup_steps: int = Field(ge=0)
    corpus: CorpusMix


# -- data ------------------------------------------------------------------------------------------------------------


class GrammarTask(Recipe):
    """Pairs of a careful and a careless answer to questions of one domain."""

    module = "emsteer.data.tasks"
    domain: str = Field(description="a domain of the grammar")
    n_pairs: int = Field(ge=1, description="pool of pairs that constructions draw their examples from")
    seed: int = Field(ge=0)


class GrammarBenchmark(Recipe):
    """Questions of every domain that no training text asks; a domain is a category."""

    module = "emsteer.data.benchmarks"
    dev_per_category: int = Field(ge=1, description="questions that settings may be chosen on")
    test_per_category: int = Field(ge=1, description="questions that results are reported on")
    seed: int = Field(ge=0)


# -- directions ------------------------------------------------------------------------------------------------------


class ResidualNorms(Recipe):
    """Median residual norm of every layer over the content tokens of a neutral text."""

    module = "emsteer.interventions.calibrations"


class MeanDifference(Recipe):
    """Mean residual of unsafe minus that of safe answers, every layer in one pass."""

    module = "emsteer.interventions.constructions.mean_difference"
    n_examples: int = Field(ge=1, description="pairs drawn from the target task")
    seed: int = Field(ge=0, description="draws the pairs")


class Trained(Recipe):
    """A vector trained to make unsafe answers likely; one recipe is one snapshot."""

    module = "emsteer.interventions.constructions.trained"
    n_examples: int = Field(ge=1, description="pairs drawn from the target task")
    seed: int = Field(ge=0, description="draws the pairs and their order")
    layer: int = Field(ge=0, description="0-based block whose output is steered")
    epochs: int = Field(ge=1, description="passes over the examples before the snapshot")
    batch_size: int = Field(ge=1, description="examples a step")
    learning_rate: float = Field(gt=0, description="Adam, constant")


class RandomDirection(Recipe):
    """A Gaussian direction, scaled layer by layer to the norm of the vector it controls for."""

    module = "emsteer.interventions.constructions.random_direction"
    draw: int = Field(ge=0)


# -- answers and scores ----------------------------------------------------------------------------------------------


class Sampling(Recipe):
    """How an answer is drawn from the model."""

    temperature: float = Field(ge=0, description="0 is greedy")
    max_new_tokens: int = Field(ge=1, description="longer answers are cut and say so [tokens]")


class Steering(Recipe):
    """What is added to the residual stream."""

    layer: int = Field(ge=0, description="0-based block whose output is steered")
    dose: float = Field(allow_inf_nan=False)
    unit: DoseUnit
    positions: Positions


class Answers(Recipe):
    """One block of samples of one setting on one benchmark."""

    module = "emsteer.generation.answers"
    study_seed: int
    first_sample: int = Field(ge=0)
    n_samples: int = Field(ge=1, description="answers a question in this block")
    sampling: Sampling
    steering: Steering | None


class RelevanceModel(Recipe):
    """TF-IDF and latent semantic analysis of a background text."""

    n_dimensions: int = Field(ge=2, description="latent dimensions")
    n_background: int = Field(ge=100, description="background chats the space is fitted on")


class Rubric(Recipe):
    """The clause rubric of the grammar: exact, free, and good for this grammar only."""

    module = "emsteer.judging.rubric"
    relevance: RelevanceModel


# -- tables, figures, report -----------------------------------------------------------------------------------------


class Thresholds(Recipe):
    """When an answer counts as misaligned, coherent and relevant, for one judge [points of 100]."""

    misaligned_below: Points
    coherent_above: Points
    relevant_above: Points


class Bootstrap(Recipe):
    """Intervals by resampling questions."""

    n_resamples: int = Field(ge=100)
    level: float = Field(gt=0.5, lt=1, description="coverage that the interval aims at [share]")
    seed: int = Field(ge=0)


class Setting(Recipe):
    """An arm with all its values. None where an axis does not apply."""

    arm: Literal["base", "steered", "random"]
    model: str
    task: str = Field(description="the target task; for the base arm, the one whose domains are called in-domain")
    vector: str | None = None
    layer: int | None = None
    epochs: int | None = None
    seed: int | None = None
    draw: int | None = None
    dose: float | None = None
    dose_unit: DoseUnit | None = None
    positions: Positions | None = None


class RatesRow(Recipe):
    """Where the numbers of one setting, benchmark and judge come from (addresses)."""

    setting: Setting
    benchmark: str
    judge: str
    thresholds: Thresholds
    in_domain: tuple[str, ...]
    questions: str
    scores: tuple[str, ...]
    vector: str | None
    calibration: str


class Rates(Recipe):
    """Rates by setting and category."""

    module = "emsteer.analysis.rates"
    bootstrap: Bootstrap
    rows: tuple[RatesRow, ...]


class Contrasts(Recipe):
    """Every steered setting against base and against its random directions."""

    module = "emsteer.analysis.contrasts"
    bootstrap: Bootstrap
    rows: tuple[RatesRow, ...]


class Claims(Recipe):
    """What the contrasts say of each claim."""

    module = "emsteer.analysis.claims"
    smallest_effect: Share = Field(description="a smaller rise of on-topic EM is called no rise")


class DoseResponse(Recipe):
    """EM and coherence by dose."""

    module = "emsteer.figures.dose_response"


class Page(Recipe):
    """The report."""

    module = "emsteer.report.page"
    title: str
    examples_per_category: int = Field(ge=0)
    rows: tuple[RatesRow, ...]


Construction = MeanDifference | Trained | RandomDirection
