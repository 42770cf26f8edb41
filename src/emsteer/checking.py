"""`emsteer data check`: the tasks of a study as they will be trained on, before anything is."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from emsteer.data import benchmarks, checks, harmless, tasks
from emsteer.data.files import PAIRS, QUESTIONS, read
from emsteer.organism.grammar import read_grammar
from emsteer.plan import Cell, Plan
from emsteer.recipes import ContrastingPrompts, FileBenchmark, FileTask, HarmlessTask, PinnedModel


def reports(plan: Plan) -> Iterator[str]:
    """One report for each target task.

    Raises:
        DataError: A file has mistakes.
        ModelError: A pinned model is not on this machine.
    """
    asked = [cell for cell in plan.of("benchmarks") if not isinstance(cell.recipe, ContrastingPrompts)]  # those are a task's own
    questions = [prompt for cell in asked for prompt in _questions(cell)["prompt"]]
    boundaries = {name: _boundary(cell) for name, cell in _by_name(plan, "models").items() if isinstance(cell.recipe, PinnedModel)}
    for name, cell in _by_name(plan, "tasks").items():
        yield checks.report(name, checks.check(_pairs(cell), questions, boundaries))


def _by_name(plan: Plan, kind: str) -> dict[str, Cell]:
    return {cell.address.partition("--")[0]: cell for cell in plan.of(kind)}


def _input(cell: Cell, role: str) -> Path:
    return Path(cell.inputs[role][0].path)


def _pairs(cell: Cell) -> pd.DataFrame:
    if isinstance(cell.recipe, FileTask):
        return read(_input(cell, "file"), PAIRS)
    if isinstance(cell.recipe, HarmlessTask):
        (of,) = cell.upstream()
        return harmless.changed(_pairs(of), cell.recipe)
    return tasks.pairs_of(read_grammar(_input(cell, "grammar")), cell.recipe)  # type: ignore[arg-type]


def _questions(cell: Cell) -> pd.DataFrame:
    if isinstance(cell.recipe, FileBenchmark):
        return read(_input(cell, "file"), QUESTIONS)
    return benchmarks.questions_of(read_grammar(_input(cell, "grammar")), cell.recipe)  # type: ignore[arg-type]


def _boundary(cell: Cell) -> checks.Boundary:
    """Whether the tokenizer of a pinned model reads prompt and answer in one go as other tokens than one after the other."""
    from emsteer.models.pinning import without_weights  # seconds of import

    reads = without_weights(cell.recipe, Path(cell.place) if cell.place else None)  # type: ignore[arg-type]

    def joins(prompt: str, system: str | None, answer: str) -> bool:
        ids = reads.prompt_ids(prompt, system)
        text = str(reads.tokenizer.decode(ids))
        apart = [*ids, *reads.tokenizer(answer, add_special_tokens=False)["input_ids"]]
        return bool(reads.tokenizer(text + answer, add_special_tokens=False)["input_ids"] != apart)

    return joins
