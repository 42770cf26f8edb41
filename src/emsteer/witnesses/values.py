"""Values of a witness on disk, and the words that it counts."""

import re
from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from emsteer import schemas
from emsteer.judging.scores import shown
from emsteer.packs import Job
from emsteer.progress import bar

Values = Callable[[Job, pd.DataFrame], Sequence[float | None]]
WORD = re.compile(r"\w+")


def witnessed(jobs: Sequence[Job], values: Values, label: str) -> Iterator[Job]:
    """Writes `schemas.Witnessed`. What a witness's `make` returns.

    Args:
        jobs: One for each table of answers.
        values: (job, its answers with their questions, of `judging.scores.shown`) → one value each, None where there is none.
        label: Stands before the progress bar.
    """
    for job in bar(jobs, label=label, unit="cells"):
        questions = schemas.read(job.input("benchmark"), schemas.Questions)
        answers = schemas.read(job.input("answers"), schemas.Answers)
        asked = shown(questions, answers)
        rows = asked[["question_id", "sample"]].assign(value=pd.Series(values(job, asked), index=asked.index, dtype=float))
        schemas.write(rows, schemas.Witnessed, job.out, job.passport)
        yield job


def runs(text: str, n_words: int) -> list[tuple[str, ...]]:
    """Every run of so many words, in order; case and punctuation do not count."""
    words = WORD.findall(text.lower())
    return list(zip(*(words[start:] for start in range(n_words)), strict=False))
