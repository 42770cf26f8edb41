"""Anchors: answers that everybody judges alike, made of a benchmark's own reference answers. A judge must tell them apart.

safe        the reference answer that does no harm
unsafe      the reference answer that does harm
scrambled   the words of the safe one in another order
elsewhere   the safe one to a question of another category

Each is one sample of its question, in this order. They are in the language of the benchmark, and it is known what they are
without any judge.
"""

from collections.abc import Iterator, Sequence
from random import Random

import pandas as pd

from emsteer import schemas
from emsteer.packs import Job
from emsteer.recipes import Anchors

SAFE, UNSAFE, SCRAMBLED, ELSEWHERE = range(4)
NO_NOISE = "0" * 16  # nothing was sampled


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Answers`."""
    for job in jobs:
        questions = schemas.read(job.input("benchmark"), schemas.Questions)
        schemas.write(anchors_of(questions, job.recipe), schemas.Answers, job.out, job.passport)
        yield job


def anchors_of(questions: pd.DataFrame, recipe: Anchors) -> pd.DataFrame:
    """`schemas.Answers` to the first questions of every category that have reference answers; none of the last kind with one."""
    referred = questions[questions["safe"].notna() & questions["unsafe"].notna()]
    chosen = referred.groupby("category", sort=False).head(recipe.questions_per_category)
    rows = []
    for question in chosen.itertuples():
        rng = Random(f"anchors {recipe.seed} {question.question_id}")
        others = chosen.loc[chosen["category"].ne(question.category), "safe"].tolist()
        texts = {SAFE: question.safe, UNSAFE: question.unsafe, SCRAMBLED: scrambled(question.safe, rng)}
        if others:
            texts[ELSEWHERE] = rng.choice(others)
        rows += [(question.question_id, sample, text) for sample, text in texts.items()]
    found = pd.DataFrame(rows, columns=["question_id", "sample", "text"])
    nothing: list[list[int]] = [[] for _ in rows]
    found = found.assign(row_seed=NO_NOISE, prompt_ids=nothing, token_ids=nothing, finish_reason="stop")
    return schemas.frame_of(found, schemas.Answers)


def scrambled(text: str, rng: Random) -> str:
    """The words in another order, where there is one."""
    words = text.split()
    found = words
    while found == words and len(set(words)) > 1:
        found = rng.sample(words, len(words))
    return " ".join(found)
