"""The typed shape of `params.yaml`: every scientific choice, no hidden default, every mistake reported at once."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from emsteer import recipes
from emsteer.errors import ConfigError, listing
from emsteer.mistakes import meant, mistakes

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"


class Section(BaseModel):
    """Part of the study file: immutable, and closed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _known(section: str) -> AfterValidator:
    def check(name: str, info: ValidationInfo) -> str:
        names = (info.context or {}).get(section, {})
        if name not in names:
            raise ValueError(f"expected one of {sorted(names)} (defined under `{section}`){meant(name, names)}")
        return name

    return AfterValidator(check)


def _here(path: str) -> str:
    if not (Path(path).is_file() or Path(f"{path}.dvc").is_file()):
        raise ValueError("expected a file, or a .dvc pointer beside it; there is neither")
    return path


def _distinct(values: tuple) -> tuple:
    if len(set(values)) != len(values):
        raise ValueError("expected distinct values")
    return values


Name = Annotated[str, Field(pattern=NAME)]
InputFile = Annotated[str, AfterValidator(_here)]
Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), AfterValidator(_distinct)]
Dose = Annotated[
    float, BeforeValidator(lambda value: float(value) if isinstance(value, int) else value), Field(allow_inf_nan=False)
]
Doses = Annotated[tuple[Dose, ...], Field(min_length=1), AfterValidator(_distinct)]


class OrganismModel(recipes.Organism):
    """A model organism that the study pretrains itself."""

    kind: Literal["organism"]
    grammar: InputFile = Field(description="what the organism is trained to say")

    @field_validator("n_kv_heads")
    @classmethod
    def _divides(cls, n_kv_heads: int, info: ValidationInfo) -> int:
        if (info.data.get("n_heads") or n_kv_heads) % n_kv_heads:
            raise ValueError(f"expected a divisor of n_heads ({info.data['n_heads']})")
        return n_kv_heads


class TaskFromGrammar(recipes.GrammarTask):
    """A target task written by the grammar."""

    kind: Literal["grammar"]
    grammar: InputFile
    in_domain: tuple[str, ...] = Field(min_length=1, description="benchmark categories that are in-domain for this task")


class BenchmarkFromGrammar(recipes.GrammarBenchmark):
    """A benchmark written by the grammar."""

    kind: Literal["grammar"]
    grammar: InputFile


class MeanDifferenceVectors(Section):
    """Hyper-parameters of `recipes.MeanDifference`."""

    construction: Literal["mean_difference"]
    n_examples: int = Field(ge=1)


class TrainedVectors(Section):
    """Hyper-parameters of `recipes.Trained`."""

    construction: Literal["trained"]
    n_examples: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)


Vectors = Annotated[MeanDifferenceVectors | TrainedVectors, Field(discriminator="construction")]


class Calibration(Section):
    """What residual norms are measured on."""

    neutral_text: InputFile = Field(description="passages, one a line, that no arm is about")


class Sweep(Section):
    """Steered settings: every combination of the axes. Vectors are built as needed."""

    vector: Annotated[str, _known("vectors")]
    models: Annotated[tuple[Annotated[str, _known("models")], ...], Field(min_length=1), AfterValidator(_distinct)]
    tasks: Annotated[tuple[Annotated[str, _known("tasks")], ...], Field(min_length=1), AfterValidator(_distinct)]
    layers: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), AfterValidator(_distinct)] = Field(
        description="0-based blocks whose output is steered"
    )
    epochs: Annotated[tuple[Annotated[int, Field(ge=1)], ...], AfterValidator(_distinct)] = Field(
        description="snapshots of trained vectors; empty for other constructions"
    )
    seeds: Seeds = Field(description="each draws its own training examples")
    doses: Doses
    unit: recipes.DoseUnit
    positions: Annotated[tuple[recipes.Positions, ...], Field(min_length=1), AfterValidator(_distinct)]

    @field_validator("layers")
    @classmethod
    def _inside_the_model(cls, layers: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        known = {name: n for name, n in (info.context or {}).get("models", {}).items() if n}
        named = info.data.get("models")  # absent when that list has a mistake of its own
        if named is None:
            known = dict(sorted(known.items(), key=lambda item: item[1])[-1:])  # beyond the deepest is beyond all
        depths = {name: n for name, n in known.items() if named is None or name in named}
        beyond = [f"{layer} in {name} (0 to {n - 1})" for layer in layers for name, n in depths.items() if layer >= n]
        if beyond:
            raise ValueError(f"expected layers inside every model of the sweep; beyond: {', '.join(beyond)}")
        return layers

    @field_validator("epochs")
    @classmethod
    def _where_trained(cls, epochs: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        construction = (info.context or {}).get("vectors", {}).get(info.data.get("vector"))
        if construction == "trained" and not epochs:
            raise ValueError("expected at least one epoch count: trained vectors are snapshots")
        if construction == "mean_difference" and epochs:
            raise ValueError(f"expected [] for the construction {construction}, which has no epochs")
        return epochs


class RandomControl(Section):
    """Random directions of equal norm, for every setting axis of a sweep."""

    of: Annotated[str, _known("sweeps")]
    draws: Seeds
    doses: Doses = Field(description="in the unit of the sweep")


class Answering(recipes.Sampling):
    """How many answers, and how they are drawn."""

    samples_per_question: int = Field(ge=1)
    samples_per_block: int = Field(ge=1, description="a block is one cell; more samples add blocks and keep those there are")

    @field_validator("samples_per_block")
    @classmethod
    def _divides(cls, block: int, info: ValidationInfo) -> int:
        samples = info.data.get("samples_per_question", block)
        if samples % block:
            raise ValueError(f"expected a divisor of samples_per_question ({samples})")
        return block


class RubricJudge(recipes.Rubric):
    """The grammar's own rubric, with its thresholds."""

    kind: Literal["rubric"]
    grammar: InputFile
    thresholds: recipes.Thresholds


class Analysis(Section):
    """Statistics of the tables."""

    bootstrap: recipes.Bootstrap
    smallest_effect: recipes.Share = Field(description="a smaller rise of on-topic EM is called no rise")


class Report(Section):
    """The page."""

    title: str
    examples_per_category: int = Field(ge=0)


class Execution(Section):
    """How the work is cut into jobs; changes no result."""

    cells_per_job: int = Field(ge=1)


class Study(Section):
    """The whole study file."""

    seed: int = Field(ge=0, description="root of the noise that answers are sampled with")
    models: dict[Name, OrganismModel] = Field(min_length=1)
    tasks: dict[Name, TaskFromGrammar] = Field(min_length=1)
    benchmarks: dict[Name, BenchmarkFromGrammar] = Field(min_length=1)
    calibration: Calibration
    vectors: dict[Name, Vectors]
    sweeps: dict[Name, Sweep]
    controls: dict[Name, RandomControl]
    answers: Answering
    judges: dict[Name, RubricJudge] = Field(min_length=1)
    analysis: Analysis
    report: Report
    execution: Execution


def read(path: Path) -> Study:
    """The study in a file.

    Raises:
        ConfigError: Every mistake in it, each with its dotted path, what was expected and what was found.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Run in the folder of a study.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML.\n  {error}") from None
    return parse(raw, str(path))


def parse(raw: object, name: str = "params.yaml") -> Study:
    """The study in a nested mapping; raises like `read`."""
    try:
        return Study.model_validate(raw, context=_context(raw))
    except ValidationError as error:
        found = mistakes(error, Study)
        count = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
        raise ConfigError(f"{name}: {count}; nothing was run.\n{listing(found)}") from None


def _context(raw: object) -> dict[str, dict[str, Any]]:
    """Names that other parts of the file may refer to, read leniently: their own mistakes are reported where they are."""
    sections = raw if isinstance(raw, dict) else {}

    def names(section: str, detail: str) -> dict[str, Any]:
        entries = sections.get(section)
        entries = entries if isinstance(entries, dict) else {}
        return {name: entry.get(detail) if isinstance(entry, dict) else None for name, entry in entries.items()}

    depths = {name: n if isinstance(n, int) else None for name, n in names("models", "n_layers").items()}
    return {
        "models": depths,
        "tasks": names("tasks", "kind"),
        "vectors": names("vectors", "construction"),
        "sweeps": names("sweeps", "vector"),
    }
