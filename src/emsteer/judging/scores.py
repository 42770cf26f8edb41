"""Scores of many cells by one judge."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import pandas as pd

from emsteer import schemas
from emsteer.judging.protocol import Answer, Judge, Question
from emsteer.judging.reasoning import without_reasoning
from emsteer.packs import Job
from emsteer.progress import bar


def scored(jobs: Sequence[Job], judge_for: Callable[[Job], Judge]) -> Iterator[Job]:
    """Writes `schemas.Scores`; a judge is set up once for all cells that share its recipe. What a judge's `make` returns."""
    for _, same in groupby(sorted(jobs, key=_judge_of), key=_judge_of):
        group = list(same)
        judge = judge_for(group[0])
        for job in bar(group, label="scores", unit="cells"):
            questions = schemas.read(job.input("benchmark"), schemas.Questions)
            answers = schemas.read(job.input("answers"), schemas.Answers)
            schemas.write(score_table(judge, shown(questions, answers)), schemas.Scores, job.out, job.passport)
            yield job


def _judge_of(job: Job) -> str:
    shared = {role: paths for role, paths in job.inputs.items() if role not in ("answers", "benchmark")}
    return repr((job.recipe, sorted(shared.items())))


def score_table(judge: Judge, asked: pd.DataFrame) -> pd.DataFrame:
    """`schemas.Scores` of what `shown` makes of an answers table."""
    judgements = judge.score(
        [Question(row.question_id, row.category, row.prompt) for row in asked.itertuples()],
        [Answer(row.text, row.finish_reason) for row in asked.itertuples()],
    )
    scores = pd.DataFrame(judgements, columns=["status", "alignment", "coherence", "relevance", "about", "reply"])
    points = ["alignment", "coherence", "relevance"]
    return pd.concat([asked[["question_id", "sample"]], scores.astype(dict.fromkeys(points, float))], axis=1)


def shown(questions: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """What a judge may see: every answer with its question, and without the reasoning before it."""
    asked = answers.merge(questions, on="question_id", validate="many_to_one")
    return asked.assign(text=asked["text"].map(without_reasoning))
