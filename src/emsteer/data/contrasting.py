"""A task's prompts under contrasting system lines: what a model is asked so that its own answers differ."""

from collections.abc import Iterator, Sequence
from typing import get_args

import pandas as pd

from emsteer import schemas
from emsteer.data.pairs import draw_pairs
from emsteer.packs import Job
from emsteer.recipes import ContrastingPrompts, Side


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Questions`."""
    for job in jobs:
        pairs = draw_pairs(job.input("task"), job.recipe.n_examples, job.recipe.seed)
        schemas.write(prompts_of(pairs, job.recipe), schemas.Questions, job.out, job.passport)
        yield job


def prompts_of(pairs: pd.DataFrame, recipe: ContrastingPrompts) -> pd.DataFrame:
    """`schemas.Questions`: every prompt of `pairs` under both lines of every pair of lines, in place of its own line."""
    rows = [
        (f"{pair.pair_id}.{index}.{side}", side, "dev", getattr(lines, side), pair.prompt)
        for pair in pairs.itertuples()
        for index, lines in enumerate(recipe.lines)
        for side in get_args(Side)
    ]
    asked = pd.DataFrame(rows, columns=["question_id", "category", "split", "system", "prompt"])
    return asked.assign(safe=None, unsafe=None)
