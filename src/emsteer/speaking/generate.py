"""`emsteer generate`: the answers of one model to many questions under many settings, all in shared batches."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from emsteer import runtime, schemas, storage
from emsteer.data.files import Format, read
from emsteer.errors import ConfigError
from emsteer.generation.engine import PackedEngine
from emsteer.generation.rows import Completion, Row
from emsteer.generation.sampling import row_seed
from emsteer.interventions.batches import prompts_of
from emsteer.models.load import LanguageModel
from emsteer.progress import bar
from emsteer.recipes import Sampling
from emsteer.speaking.models import Named
from emsteer.speaking.settings import Setting, changes_of

QUESTIONS = Format("question_id", ("prompt",), ("system", "category", "split", "safe", "unsafe"), schemas.Asked)


@dataclass(frozen=True)
class Asked:
    """What is to be answered, and how.

    Attributes:
        questions: A JSONL file; a benchmark's will do.
        settings: By name.
        sampling: Of every answer.
        n_samples: Answers a question and setting.
        seed: Of the noise, which is the same in all settings.
    """

    questions: Path
    settings: Mapping[str, Setting]
    sampling: Sampling
    n_samples: int
    seed: int


def generate(model: LanguageModel, named: Named, asked: Asked, target: Path) -> str:
    """Writes `schemas.Generated` with a passport; returns a line about it, for people.

    Raises:
        ConfigError: The file to write exists, or has no folder to be in.
        DataError: A mistake in the questions or a vector.
        ModelError: What is asked for does not fit the model.
    """
    check_target(target)
    questions = read(asked.questions, QUESTIONS)
    rows = questions.merge(pd.DataFrame({"sample": range(asked.n_samples)}), how="cross")
    changes = {setting: changes_of(of) for setting, of in asked.settings.items()}
    frame = pd.concat([rows.assign(setting=setting) for setting in changes], ignore_index=True)
    frame["prompt_ids"] = prompts_of(model, frame)
    frame["row_seed"] = [row_seed(asked.seed, *of) for of in zip(frame["question_id"], frame["sample"], strict=True)]
    columns = zip(frame["prompt_ids"], frame["row_seed"], frame["setting"], strict=True)
    started = time.monotonic()
    said = _said(model, [Row(tuple(ids), seed, changes[setting]) for ids, seed, setting in columns], asked.sampling)
    seconds = time.monotonic() - started
    frame["text"] = [model.text(list(one.token_ids)) for one in said]
    frame["token_ids"] = [list(one.token_ids) for one in said]
    frame["finish_reason"] = [one.finish_reason for one in said]
    table = frame[list(schemas.Generated.to_schema().columns)]
    storage.write_atomically(target, lambda path: schemas.write(table, schemas.Generated, path, _passport(named, asked)))
    n_tokens = sum(len(one.token_ids) + (one.finish_reason == "stop") for one in said)
    speed = f"{n_tokens:,} tokens in {seconds:,.1f} s ({n_tokens / seconds:,.0f} a second)"
    return f"{target}: {len(said):,} answers, {len(changes)} settings of {len(questions):,} questions; {speed}"


def check_target(target: Path) -> None:
    """Before anything is computed: the file can be written, and nothing is lost by it."""
    if target.exists() or target.suffix != ".parquet" or not target.parent.is_dir():
        got = (
            "it exists" if target.exists() else "no such folder" if not target.parent.is_dir() else f"it ends in {target.suffix!r}"
        )
        raise ConfigError(f"{target}: expected the name of a new .parquet file in a folder that exists; {got}.")


def _said(model: LanguageModel, rows: Sequence[Row], sampling: Sampling) -> list[Completion]:
    found: dict[int, Completion] = {}
    n_tokens, started = 0, time.monotonic()
    with bar(total=len(rows), label="generate", unit="answers") as progress:
        for index, completion in PackedEngine(model).generate(rows, sampling):
            found[index] = completion
            n_tokens += len(completion.token_ids)
            progress.set_postfix_str(f"{n_tokens / (time.monotonic() - started):,.0f} tokens/s", refresh=False)
            progress.update()
    return [found[index] for index in range(len(rows))]


def _passport(named: Named, asked: Asked) -> dict[str, Any]:
    """What was asked of what, with the digests of all files."""
    paths = {steered.vector for of in asked.settings.values() for steered in of.steered}
    paths |= {of.adapter.folder for of in asked.settings.values() if of.adapter}
    return {
        "kind": "generated",
        "address": f"what {named.name} said",
        "model": {"name": named.name, "sha256": named.digests()},
        "settings": {setting: of.model_dump(mode="json") for setting, of in asked.settings.items()},
        "sampling": asked.sampling.model_dump(mode="json"),
        "seed": asked.seed,
        "n_samples": asked.n_samples,
        "sha256": {path: storage.sha256(Path(path)) for path in sorted({str(asked.questions), *paths})},
        "versions": {package: version(package) for package in ("emsteer", "torch", "transformers")},
        **runtime.described(),
    }
