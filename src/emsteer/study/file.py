"""The study file: every scientific choice, no hidden default, every mistake reported at once."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from emsteer import recipes
from emsteer.recipes import Count, Natural, Seed
from emsteer.study import depth, grammars, reading
from emsteer.study.claims import Claim, in_claims
from emsteer.study.context import context
from emsteer.study.draws import too_few_pairs
from emsteer.study.elicitations import Elicitation
from emsteer.study.fitting import that_do_not_fit
from emsteer.study.inputs import Benchmark, HarmlessTask, Task, with_harm
from emsteer.study.interventions import LoraAdapters, Vectors, axes_of
from emsteer.study.judges import Anchors, Judge, LocalJudge, that_fit, without_alignment
from emsteer.study.models import Embedder, Model, OrganismModel, n_layers_of
from emsteer.study.shape import Distinct, InputFile, Name, Section, known, rest_of_the_file
from emsteer.study.sweeps import BasePoint, Sweep, mistakes_at
from emsteer.study.witnesses import Witness

PARAMS = Path("params.yaml")


class Calibration(Section):
    """What doses are measured on."""

    neutral_text: InputFile = Field(description="passages, one a line, that no arm is about; doses in KL ask them as prompts")
    doses_in_kl: recipes.DosesInKl


class Answering(recipes.Sampling):
    """How many answers, and how they are drawn."""

    model_config = ConfigDict(allow_inf_nan=False)
    samples_per_question: Count
    samples_per_block: Count = Field(description="a block is one cell; more samples add blocks and keep those there are")

    @field_validator("samples_per_block")
    @classmethod
    def _divides(cls, block: int, info: ValidationInfo) -> int:
        samples = info.data.get("samples_per_question", block)
        if samples % block:
            raise ValueError(f"expected a divisor of samples_per_question ({samples})")
        return block


class Analysis(Section):
    """Statistics of the tables."""

    bootstrap: recipes.Bootstrap
    selection: recipes.Selection
    matched: recipes.MatchedAt
    other_thresholds: recipes.OtherThresholds


class Margin(Section):
    """The teacher-forced margin."""

    questions_per_category: Count = Field(description="the first test questions of every category")

    @field_validator("questions_per_category")
    @classmethod
    def _are_there(cls, n: int, info: ValidationInfo) -> int:
        asked = rest_of_the_file(info, "benchmarks")
        fewer = [f"{name} ({there})" for name, there in asked.items() if isinstance(there, int) and there < n]
        if fewer:
            raise ValueError(f"expected no more than the test_per_category of any benchmark; fewer: {', '.join(fewer)}")
        return n


class Likeness(Margin):
    """How near every setting comes to the base point's finetuned model."""

    @field_validator("questions_per_category")
    @classmethod
    def _have_an_aim(cls, n: int, info: ValidationInfo) -> int:
        if rest_of_the_file(info, "base_point").get("finetuned", ...) is None:
            raise ValueError("expected no such section (likeness: null): the base point has no finetuned arm to be like")
        return n


class Effects(Section):
    """What else settings do to a model, and whether their steering holds."""

    quiz: InputFile = Field(description="questions with one right answer and some wrong ones, JSON lines (docs/data.md)")
    broken_at: recipes.Rate = Field(description="of a random direction: what every number must tell from base [residual norms]")


class Relatedness(Section):
    """How unrelated questions are to target tasks."""

    embedders: Annotated[tuple[Annotated[str, known("embedders")], ...], Field(min_length=1), Distinct]
    n_permutations: Annotated[int, Field(ge=99, le=100_000)] = Field(description="of the null of the maximum mean discrepancy")
    overlaps_above: recipes.Share = Field(
        description="a question overlaps with a task that is as near to it as more than this share of the task's own prompts"
    )
    seed: Seed


class Report(Section):
    """The page."""

    title: str
    notice: str | None = Field(description="what a reader must know before the numbers; null: nothing")
    examples_per_category: Natural
    answers: Natural = Field(
        description="that can be looked through on the page, at most; where there are more: fewer samples of each question"
    )
    panels: Annotated[tuple[Annotated[str, known("models")], ...], Distinct, Field(min_length=1)] | None = Field(
        description="models that have a panel where figures have one for each; null: all"
    )

    @field_validator("panels")
    @classmethod
    def _show_the_base_point(cls, panels: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        base = rest_of_the_file(info, "base_point").get("model")
        if panels is not None and base is not None and base not in panels:
            raise ValueError(f"expected {base} among them, the model of the base point")
        return panels


class Execution(Section):
    """How the work is cut into jobs, where it is done, and what jobs ask of a scheduler; changes no address."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        description="auto: on cards, where `gpu_memory_gb` is given and there are any; cuda: a job without its cards fails"
    )
    cells_per_job: Count = Field(description="a model is loaded once for these")
    minutes_per_job: Count = Field(description="of estimated work; a longer pack is cut, a longer cell is not [min]")
    gflop_per_s: float = Field(gt=0, le=1e7, description="what a job reaches; estimates of time divide by it [10^9 operations/s]")
    gpu_memory_gb: Natural = Field(description="of one card; jobs that run a model ask for as many as it takes; 0: none [GB]")

    mixes: tuple[Literal["device", "dtype", "cpu", "versions"], ...] = Field(
        description="what tables may compare although it differs between what they read of one model; else they are refused"
    )

    @field_validator("gpu_memory_gb")
    @classmethod
    def _is_known_where_cards_must_be(cls, memory: int, info: ValidationInfo) -> int:
        if info.data.get("device") == "cuda" and not memory:
            raise ValueError("expected the memory of one card, because `device` is cuda")
        return memory


class Study(Section):
    """The whole study file."""

    seed: Seed = Field(description="root of the noise that answers are sampled with")
    models: dict[Name, Model] = Field(min_length=1)
    embedders: dict[Name, Embedder] = Field(description="what texts are placed by")
    tasks: dict[Name, Task] = Field(min_length=1)
    benchmarks: dict[Name, Benchmark] = Field(min_length=1)
    calibration: Calibration
    elicitations: dict[Name, Elicitation] = Field(description="a model's own answers, which some vectors are made of")
    vectors: dict[Name, Vectors]
    adapters: dict[Name, LoraAdapters]
    base_point: BasePoint
    sweeps: dict[Name, Sweep]
    answers: Answering
    relatedness: Relatedness | None = Field(description="of tasks and benchmarks; null: not measured")
    margins: Margin
    likeness: Likeness | None = Field(description="witness that compares with the finetuned model of the base point; null: none")
    effects: Effects | None = Field(description="side effects, read off a quiz; null: not measured")
    witnesses: dict[Name, Witness] = Field(description="numbers per answer that need no judge")
    judges: dict[Name, Judge] = Field(min_length=1)
    anchors: Anchors | None = Field(description="what judges must tell apart; null: nothing shows that a judge works")
    analysis: Analysis
    claims: dict[Name, Claim] = Field(description="what the study decides")
    report: Report
    execution: Execution

    @property
    def in_domain(self) -> dict[str, tuple[str, ...]]:
        """Target task → benchmark categories that are in-domain."""
        return {name: with_harm(self.tasks, name).in_domain for name in sorted(self.tasks)}

    def says_of(self, vectors: str, field: str) -> Any:
        """What vectors of that name say, or the elicitation that they are made of; 1 where neither does."""
        said = self.vectors[vectors]
        return getattr(said, field, getattr(self.elicitations.get(said.elicited or ""), field, 1))

    def axes_of(self, vectors: str) -> frozenset[str]:
        """What sweeps vary of the vectors of that name."""
        made = self.vectors
        return axes_of(
            vectors, {name: of.construction for name, of in made.items()}, {name: of.made_of for name, of in made.items()}
        )

    def block_of(self, layer: int | str, model: str) -> int:
        """The block of a model that a layer of this file is, 0-based."""
        return depth.block_of(layer, n_layers_of(self.models[model]))

    @property
    def subjects(self) -> list[str]:
        """The models that are asked: all that do not merely judge."""
        named = {self.base_point.model, *(name for sweep in self.sweeps.values() for name in sweep.models or ())}
        judges = {judge.model for judge in self.judges.values() if isinstance(judge, LocalJudge)}
        return sorted(name for name in self.models if name in named or name not in judges)

    @field_validator("models")
    @classmethod
    def _link_what_there_is(cls, models: dict[str, Model]) -> dict[str, Model]:
        organisms = {name: model for name, model in models.items() if isinstance(model, OrganismModel)}
        return _sound(models, grammars.in_models(organisms))

    @field_validator("tasks")
    @classmethod
    def _are_about_what_there_is(cls, tasks: dict[str, Task], info: ValidationInfo) -> dict[str, Task]:
        own = {name: task for name, task in tasks.items() if not isinstance(task, HarmlessTask)}
        return _sound(tasks, grammars.in_tasks(own, rest_of_the_file(info, "categories").values()))

    @field_validator("adapters")
    @classmethod
    def _are_called_otherwise_than_vectors(cls, adapters: dict[str, LoraAdapters], info: ValidationInfo) -> dict[str, LoraAdapters]:
        message = "expected a name that no vectors have: tables and figures call both by their names alone"
        return _sound(adapters, [((name,), message, name) for name in adapters if name in info.data.get("vectors", {})])

    @field_validator("judges")
    @classmethod
    def _speak_the_language(cls, judges: dict[str, Judge], info: ValidationInfo) -> dict[str, Judge]:
        return _sound(judges, that_fit(judges, info.data.get("benchmarks", {})))

    @field_validator("analysis")
    @classmethod
    def _draw_lines_where_all_was_asked(cls, analysis: Analysis, info: ValidationInfo) -> Analysis:
        lines = analysis.other_thresholds.coherent_above
        return _sound(analysis, without_alignment(info.data.get("judges", {}), lines))

    @field_validator("claims")
    @classmethod
    def _are_about_what_there_may_be(cls, claims: dict[str, Claim], info: ValidationInfo) -> dict[str, Claim]:
        return _sound(claims, in_claims(claims, info.data))

    @field_validator("sweeps")
    @classmethod
    def _have_their_pairs(cls, sweeps: dict[str, Sweep], info: ValidationInfo) -> dict[str, Sweep]:
        if not {"models", "tasks", "elicitations", "vectors", "adapters", "base_point"} <= info.data.keys():
            return sweeps  # what is drawn from where is known once these have no mistake of their own
        unfit = that_do_not_fit(sweeps, info.data, rest_of_the_file(info, "judges"))
        return _sound(sweeps, [*too_few_pairs(sweeps, info.data), *unfit])


def _sound(value: Any, found: Iterable[tuple[tuple[str | int, ...], str, object]]) -> Any:
    mistaken = list(found)
    if mistaken:
        raise mistakes_at(mistaken)
    return value


def read(path: Path = PARAMS) -> Study:
    """The study in a file.

    Raises:
        ConfigError: Every mistake in it, each with its line, its dotted path, what was expected and what was found.
    """
    written = reading.read(path)
    return reading.checked(written, str(path), Study, context(written.value))


def parse(raw: object) -> Study:
    """The study in a nested mapping; raises like `read`."""
    written = reading.Written(reading.plain(raw))
    return reading.checked(written, str(PARAMS), Study, context(written.value))
