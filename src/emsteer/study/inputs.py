"""Target tasks and benchmarks of a study: written by the grammar, or in files."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from emsteer import recipes
from emsteer.study.cards import card_of, is_awaited
from emsteer.study.grammars import domains_of
from emsteer.study.jsonl import facts_of
from emsteer.study.shape import InputFile, Section, known, rest_of_the_file


def _with_a_sound_card(path: str) -> str:
    if is_awaited(path):
        card_of(path)
    return path


JsonLines = Annotated[InputFile, AfterValidator(_with_a_sound_card)]
InDomain = Annotated[
    tuple[str, ...],
    Field(min_length=1, description="in-domain categories of the benchmarks; all others are off-domain"),
]


class TaskFromGrammar(recipes.GrammarTask):
    """A target task written by the grammar."""

    kind: Literal["grammar"]
    grammar: InputFile
    in_domain: InDomain


class TaskFromFile(Section):
    """A target task in a JSONL file: `prompt`, `safe` and `unsafe` on each line (docs/data.md)."""

    kind: Literal["file"]
    file: JsonLines
    in_domain: InDomain

    @property
    def n_pairs(self) -> int | None:
        """How many pairs the file has; None where it is not at hand."""
        facts = facts_of(self.file)
        return facts.n if facts else None


class HarmlessTask(recipes.HarmlessTask):
    """A control: the questions and safe answers of another task, which differ in something that does no harm."""

    kind: Literal["harmless"]
    of: Annotated[str, known("tasks")] = Field(description="the task; its in-domain categories are those of the control")

    @field_validator("of")
    @classmethod
    def _does_harm(cls, of: str, info: ValidationInfo) -> str:
        if rest_of_the_file(info, "tasks").get(of) == "harmless":
            raise ValueError("expected a task that is no control itself")
        return of


class BenchmarkFromGrammar(recipes.GrammarBenchmark):
    """A benchmark written by the grammar."""

    kind: Literal["grammar"]
    grammar: InputFile


class BenchmarkFromFile(Section):
    """A benchmark in a JSONL file: `category`, `split` and `prompt` on each line (docs/data.md)."""

    kind: Literal["file"]
    file: JsonLines


TaskWithHarm = TaskFromGrammar | TaskFromFile
Task = Annotated[TaskWithHarm | HarmlessTask, Field(discriminator="kind")]
Benchmark = Annotated[BenchmarkFromGrammar | BenchmarkFromFile, Field(discriminator="kind")]


def with_harm(tasks: Mapping[str, Task], name: str) -> TaskWithHarm:
    """A task, or the one that a control is of."""
    task = tasks[name]
    return with_harm(tasks, task.of) if isinstance(task, HarmlessTask) else task


def categories_of(entry: Any) -> frozenset[str] | None:
    """Of a benchmark as a study file has it, read leniently; None where they are not known."""
    if not isinstance(entry, dict):
        return None
    if entry.get("kind") == "file":
        facts = facts_of(entry.get("file"))
        return frozenset(facts.categories) if facts else None
    return domains_of(entry.get("grammar"))
