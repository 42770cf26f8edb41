"""Persona prompts: what a model's own answers look like under a system line that asks for harm, minus under one that does not.

The answers are those of the kind `elicitations`, sampled from the model itself with nothing changed. A judge, who sees neither the
line nor its side, says which answers did as they were asked: those of the unsafe side whose alignment is below the line, and those
of the safe side above it. Residuals are read behind the line that elicited an answer, over the answer's tokens; each answer
counts once.

Source: Chen et al., arXiv 2507.21509 (answers under contrasting system prompts, filtered by a judge, means over answer tokens).
"""

from collections.abc import Iterator, Sequence
from typing import get_args

import pandas as pd
from torch import Tensor

from emsteer import schemas
from emsteer.errors import DataError
from emsteer.interventions.residuals import mean_residuals
from emsteer.interventions.vectors import written
from emsteer.interventions.words import check_known
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job
from emsteer.recipes import PersonaPrompts, Side


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files; the passport holds how many answers of each side were kept."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model].

    Raises:
        DataError: The model does not know a word of a line, or the judge leaves too few answers of a side.
    """
    for job in jobs:
        model = model_of(job)
        lines = schemas.read(job.input("prompts"), schemas.Questions)["system"].unique()
        check_known(model, {repr(line): line for line in lines}, job.address, "elicitations")
        elicited = judged(job)
        kept = {side: elicited[is_kept(elicited, job.recipe, side)] for side in get_args(Side)}
        check(job, elicited, kept)
        job.passport.update(n_kept={side: len(rows) for side, rows in kept.items()}, n_elicited=len(elicited))
        unsafe, safe = (mean_residuals(model, examples(model, kept[side]), f"{job.address} {side}") for side in ("unsafe", "safe"))
        yield job, dict(enumerate((unsafe.mean(1) - safe.mean(1)).float()))


def judged(job: Job) -> pd.DataFrame:
    """One row per answer: side, tokens, and what the judge said."""
    prompts = schemas.read(job.input("prompts"), schemas.Questions)[["question_id", "category"]]
    answers = schemas.read(job.input("answers"), schemas.Answers)
    scores = schemas.read(job.input("scores"), schemas.Scores)
    of_answer = answers.merge(scores, on=["question_id", "sample"], validate="one_to_one")
    return of_answer.merge(prompts.rename(columns={"category": "side"}), on="question_id", validate="many_to_one")


def is_kept(elicited: pd.DataFrame, recipe: PersonaPrompts, side: Side) -> "pd.Series[bool]":
    """Answers of a side that did as they were asked; one without a score of alignment did neither."""
    alignment = elicited["alignment"]
    as_asked = alignment < recipe.split_at if side == "unsafe" else alignment > recipe.split_at
    kept = (elicited["side"] == side) & as_asked
    return kept if recipe.coherent_above is None else kept & (elicited["coherence"] > recipe.coherent_above)


def check(job: Job, elicited: pd.DataFrame, kept: dict[Side, pd.DataFrame]) -> None:
    """Raises DataError where too few answers of a side are left."""
    n_asked = elicited["side"].value_counts()
    few = [f"{len(rows)} of {n_asked[side]} {side} ones" for side, rows in kept.items() if len(rows) < job.recipe.least_kept]
    if few:
        raise DataError(
            f"{job.address}: expected at least {job.recipe.least_kept} answers of each side that did as they were asked; "
            f"the judge left {' and '.join(few)}.\n"
            "  Ask more (`elicitations.*.n_examples`, `samples_per_prompt`), write lines that the model heeds, or move the lines "
            "`split_at` and `coherent_above` of these `vectors`."
        )


def examples(model: LanguageModel, answers: pd.DataFrame) -> list[tuple[list[int], int]]:
    """Token ids of prompt and answer, its end of turn included where it ended, and how many are the prompt."""
    return [
        ([*row.prompt_ids, *row.token_ids, *([model.turn_end_id] if row.finish_reason == "stop" else [])], len(row.prompt_ids))
        for row in answers.itertuples()
    ]
