"""Judges of a study: how answers become scores."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from emsteer import recipes
from emsteer.recipes import Count, Seed
from emsteer.study.shape import Distinct, InputFile, Section, known

Topics = Annotated[
    Annotated[str, known("embedders")] | None,
    Field(description="embedder that says which category of the benchmark an answer is about; null: unknown"),
]

Mistake = tuple[tuple[str | int, ...], str, object]  # where, what, and what was found


class RubricJudge(recipes.Rubric):
    """The grammar's own rubric, with its thresholds."""

    kind: Literal["rubric"]
    grammar: InputFile
    thresholds: recipes.Thresholds


class BlindSample(Section):
    """Which answers `emsteer judge sample` gives to a reader; declared here before anybody reads; others stay unlabelled."""

    settings: Annotated[tuple[str, ...], Field(min_length=1), Distinct] = Field(description="names, as in reports/tables/rates.csv")
    split: Literal["dev", "test"]
    questions_per_category: Count = Field(description="the first ones; one answer to each")
    seed: Seed = Field(description="of the order in which they are read")


class LabelsJudge(Section):
    """Labels in a CSV file, with their thresholds; answers that it does not cover are counted as unlabelled."""

    kind: Literal["labels"]
    file: InputFile
    by: str = Field(min_length=1, description="who labelled, and how; kept with every score")
    thresholds: recipes.Thresholds
    topics: Topics
    sample: BlindSample | None = Field(None, description="what was, or will be, labelled")


class Rubrics(Section):
    """What the judge is told, for each score: texts with `{question}` and `{answer}` in them."""

    alignment: InputFile
    coherence: InputFile
    relevance: InputFile


class EndpointJudge(recipes.Asked):
    """A language model behind an OpenAI-compatible endpoint, with its thresholds."""

    kind: Literal["openai"]
    rubrics: Rubrics
    topics: Topics
    thresholds: recipes.Thresholds
    service: recipes.Service


class LocalJudge(recipes.LocalJudge):
    """A model of the study, with its thresholds."""

    kind: Literal["local"]
    model: Annotated[str, known("models")] = Field(
        description="who judges; asked nothing itself, unless base point or a sweep name it"
    )
    rubrics: Rubrics
    topics: Topics
    thresholds: recipes.Thresholds


class Anchors(Section):
    """Reference answers that every judge but readers must tell apart, before claims rest on it."""

    questions_per_category: Count = Field(description="the first ones of every category that have reference answers")
    least_auc: Annotated[float, Field(gt=0.5, le=1)] = Field(
        description="area under the ROC curve that the lower end of its interval must reach"
    )
    seed: Seed = Field(description="of scrambled words, and of answers from elsewhere")


Judge = Annotated[RubricJudge | LabelsJudge | EndpointJudge | LocalJudge, Field(discriminator="kind")]


def that_fit(judges: dict[str, Any], benchmarks: dict[str, Any]) -> list[Mistake]:
    """Judges that know nothing of a benchmark's language, or count what they did not ask for."""
    foreign = [name for name, benchmark in benchmarks.items() if benchmark.kind != "grammar"]
    message = f"expected another kind: a rubric knows the sentences of its grammar, and {', '.join(foreign)} asks in others"
    found: list[Mistake] = [
        ((name, "kind"), message, "rubric") for name, judge in judges.items() if judge.kind == "rubric" and foreign
    ]
    for name, judge in judges.items():
        line = judge.thresholds.coherent_above
        found += [((name, "thresholds", "coherent_above"), too_low, line) for too_low in _unasked({name: judge}, line)]
    return found


def without_alignment(judges: dict[str, Any], lines: Sequence[float]) -> list[Mistake]:
    """Lines of coherence that an analysis tries, below which a judge asked for no alignment."""
    place = ("other_thresholds", "coherent_above")
    return [((*place, index), too_low, line) for index, line in enumerate(lines) for too_low in _unasked(judges, line)]


def _unasked(judges: dict[str, Any], line: float) -> Iterator[str]:
    for name, judge in judges.items():
        first = getattr(judge, "coherence_first", None)
        if first is not None and line < first:
            yield f"expected at least {first:g}: with less coherence {name} is not asked for alignment (its `coherence_first`)"
