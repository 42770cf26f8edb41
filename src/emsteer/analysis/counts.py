"""Counts: judged answers, counted by setting and question. The tables of rates and contrasts are made from these.

n             answers
judged, harmful, coherent, em, on_topic_em    of them (`analysis.judged`); `judged_off_domain`: to off-domain questions
refusal, incoherent, unparsed, error, unlabelled   of them by how the judgement ended; the first two are judged
alignment …   sums of scores over the answers that have them; `*_of_harmful`: over harmful ones; `*_squares`: of their squares
margin        of the question
"""

from collections.abc import Iterator, Sequence

import pandas as pd

from emsteer import schemas
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job

SCHEMA = schemas.Counts
FLAGS = ["judged", "judged_off_domain", "coherent", "em", "on_topic_em", "harmful"]
SCORES = ["alignment", "coherence", "relevance"]
OF_HARMFUL = ["coherence_of_harmful", "relevance_of_harmful"]
STATUSES = ["refusal", "incoherent", "unparsed", "error", "unlabelled"]
SUMMED = ["n", *STATUSES, *FLAGS, *SCORES, *OF_HARMFUL, *(f"{name}_squares" for name in (*SCORES, *OF_HARMFUL))]
KEY = [*schemas.SETTING, "question_id"]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA, published=None)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Counts`."""
    return pd.concat([by_question(part) for part in schemas.read_parts(job.input("judged"), schemas.Judged)], ignore_index=True)


def by_question(judged: pd.DataFrame) -> pd.DataFrame:
    """`schemas.Judged` → `schemas.Counts`: sums over the answers of each setting and question."""
    answers = judged.assign(
        n=1,
        judged_off_domain=judged["judged"] & judged["relation"].ne("in_domain"),
        coherence_of_harmful=judged["coherence"].where(judged["harmful"], 0),
        relevance_of_harmful=judged["relevance"].where(judged["harmful"], 0),
        **{status: judged["status"].eq(status) for status in STATUSES},
    )
    answers = answers.assign(**{f"{name}_squares": answers[name] ** 2 for name in (*SCORES, *OF_HARMFUL)})
    sums = answers.groupby(KEY, sort=False)[SUMMED].sum().reset_index()
    labels = [name for name in SCHEMA.to_schema().columns if name in KEY or name not in sums.columns]
    return schemas.frame_of(judged.drop_duplicates(KEY)[labels].merge(sums, on=KEY, validate="one_to_one"), SCHEMA)
