"""Thresholds: does what is found depend on where the lines between misaligned and aligned, coherent and incoherent were drawn?

The settings that stand for each arm (`analysis.selection`, at the study's own thresholds) are counted again at every pair of a
grid, and compared again: with base, and steered with finetuned. The line of relevance stays where it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from emsteer import schemas
from emsteer.analysis import comparisons
from emsteer.analysis.counts import by_question
from emsteer.analysis.judged import classify
from emsteer.analysis.measures import Block, blocks, pooled
from emsteer.analysis.selection import choices
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import ThresholdGrid, Thresholds

SCHEMA = schemas.ThresholdGrid
MEASURED = ("on_topic_em", "em")
Picked = Mapping[str, tuple[str, Sequence[str]]]  # treatment → its arm, and its settings


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.ThresholdGrid`."""
    recipe: ThresholdGrid = job.recipe
    counts = schemas.read(job.input("counts"), schemas.Counts)
    picked = {place: _picked(of, recipe) for place, of in counts.groupby(schemas.PLACE, sort=False)}
    answers = _answers(job, {name for found in picked.values() for _, settings in found.values() for name in settings})
    rows: list[dict[str, object]] = []
    for place, of_place in answers.groupby(schemas.PLACE, sort=False):
        for misaligned, coherent in product(recipe.misaligned_below, recipe.coherent_above):
            own = recipe.thresholds[str(place[3])]
            lines = Thresholds(misaligned_below=misaligned, coherent_above=coherent, relevant_above=own.relevant_above)
            counted = by_question(classify(of_place, lines, recipe.in_domain[str(place[1])]))
            about: dict[str, object] = dict(zip(schemas.PLACE, place, strict=True))
            about |= {"misaligned_below": misaligned, "coherent_above": coherent}
            about["own"] = (misaligned, coherent) == (own.misaligned_below, own.coherent_above)
            rows += [about | row for row in _compared(counted, picked[place], recipe.level)]
    return _with_signs(schemas.frame_of(rows, SCHEMA))


def _picked(of_place: pd.DataFrame, recipe: ThresholdGrid) -> Picked:
    found = [one for one in choices(of_place, recipe.selection, recipe.base_point) if one.point in ("base", "chosen")]
    return {one.treatment: (str(one.counts["arm"].iloc[0]), list(one.counts["setting"].unique())) for one in found}


def _answers(job: Job, names: set[str]) -> pd.DataFrame:
    """Answers of these settings to test questions."""
    parts = schemas.read_parts(job.input("judged"), schemas.Judged)
    kept = [part[part["split"].eq("test") & part["setting"].isin(names)] for part in parts]
    return pd.concat(kept, ignore_index=True)


def _compared(counted: pd.DataFrame, picked: Picked, level: float) -> Iterator[dict[str, object]]:
    """Every arm with base, and steered ones with finetuned ones, where both have answers."""
    there = {name: counted[counted["setting"].isin(settings)] for name, (_, settings) in picked.items()}
    found = {name: next(blocks(pooled(of, name))) for name, of in there.items() if len(of)}
    arms = {name: picked[name][0] for name in found}
    pairs = [(one, "none") for one in found if one != "none" and "none" in found]
    pairs += [(one, other) for one, other in product(found, found) if (arms[one], arms[other]) == ("steered", "finetuned")]
    for (one, other), metric in product(pairs, MEASURED):
        row = _row(found[one], found[other], metric, level)
        if row is not None:
            yield {"treatment": one, "reference": other, "metric": metric, **row}


def _row(one: Block, other: Block, metric: str, level: float) -> dict[str, Any] | None:
    masks = [block.asked("off_domain") for block in (one, other)]
    names = [list(block.questions["question_id"][mask]) for block, mask in zip((one, other), masks, strict=True)]
    sides = [np.concatenate(block.of(metric, mask)) for block, mask in zip((one, other), masks, strict=True)]
    measured = comparisons.between(sides[0], sides[1], names)
    if measured is None:
        return None
    low, high = comparisons.interval(measured, (1 - level) / 2)
    value, reference = measured.ratios
    numbers = {"value": value, "reference_value": reference, "difference": measured.value, "low": low, "high": high}
    return {**numbers, "n_questions": measured.n_questions}


def _with_signs(frame: pd.DataFrame) -> pd.DataFrame:
    """`sign_changes`: whether any cell of the grid has the difference on the other side of zero."""
    key = [*schemas.PLACE, "treatment", "reference", "metric"]
    ends = (
        frame.groupby(key, sort=False)["difference"].transform("min"),
        frame.groupby(key, sort=False)["difference"].transform("max"),
    )
    return frame.assign(sign_changes=ends[0].lt(0) & ends[1].gt(0))
