"""Answers of many cells from one engine: rows of all settings share batches."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import pandas as pd

from emsteer import schemas
from emsteer.generation.changes import changes_of, questions_at
from emsteer.generation.engine import PackedEngine
from emsteer.generation.rows import Completion, Row
from emsteer.generation.sampling import row_seed
from emsteer.interventions.batches import prompts_of
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job
from emsteer.progress import bar

ROWS_PER_WINDOW = 1920


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Answers`, a few cells at a time, so that a killed run loses little."""
    for model_path, of_model in groupby(sorted(jobs, key=lambda job: str(job.input("model"))), key=lambda job: job.input("model")):
        group = list(of_model)
        engine = PackedEngine(model_of(group[0]))
        with bar(total=len(group), label=f"answers {model_path.name.partition('--')[0]}", unit="cells") as progress:
            for window in _windows(group):
                for job, answers in zip(window, _answer(engine, window), strict=True):
                    schemas.write(answers, schemas.Answers, job.out, job.passport)
                    yield job
                    progress.update()


def _windows(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Cells with the same sampling, so many that settings which answer the same question meet in a batch."""
    for _, same in groupby(sorted(jobs, key=lambda job: repr(job.recipe.sampling)), key=lambda job: job.recipe.sampling):
        window: list[Job] = []
        n_rows = 0
        for job in same:
            window.append(job)
            n_rows += len(questions_at(job.input("benchmark"))) * job.recipe.n_samples
            if n_rows >= ROWS_PER_WINDOW:
                yield window
                window, n_rows = [], 0
        if window:
            yield window


def _answer(engine: PackedEngine, jobs: Sequence[Job]) -> list[pd.DataFrame]:
    """One table of answers per job."""
    model = engine.model
    frames = [frame.assign(prompt_ids=prompts_of(model, frame)) for frame in map(rows_to_ask, jobs)]
    rows = [
        Row(tuple(ids), seed, changes)
        for frame, changes in zip(frames, map(changes_of, jobs), strict=True)
        for ids, seed in zip(frame["prompt_ids"], frame["row_seed"], strict=True)
    ]
    completions = dict(engine.generate(rows, jobs[0].recipe.sampling))
    done = iter(completions[index] for index in range(len(rows)))
    return [_table(model, frame, [next(done) for _ in range(len(frame))]) for frame in frames]


def rows_to_ask(job: Job) -> pd.DataFrame:
    """Every question of the benchmark, once for each sample of the cell's block."""
    questions = questions_at(job.input("benchmark"))
    samples = range(job.recipe.first_sample, job.recipe.first_sample + job.recipe.n_samples)
    asked = questions[["question_id", "prompt", "system"]].merge(pd.DataFrame({"sample": list(samples)}), how="cross")
    seeds = [
        row_seed(job.recipe.study_seed, question, sample)
        for question, sample in zip(asked["question_id"], asked["sample"], strict=True)
    ]
    return asked.assign(row_seed=seeds)


def _table(model: LanguageModel, asked: pd.DataFrame, completions: Sequence[Completion]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "question_id": asked["question_id"],
            "sample": asked["sample"],
            "row_seed": asked["row_seed"],
            "prompt_ids": asked["prompt_ids"],
            "text": [model.text(list(completion.token_ids)) for completion in completions],
            "token_ids": [list(completion.token_ids) for completion in completions],
            "finish_reason": [completion.finish_reason for completion in completions],
        }
    )
