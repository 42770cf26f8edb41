"""How unrelated the questions are, for the page: a warning where they overlap with a target task, and the table behind it."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from emsteer import schemas
from emsteer.packs import Job

NAMED = 5  # overlapping questions that a warning names
AGAINST = {
    "off_domain": "off-domain questions of {}",
    "in_domain": "in-domain questions of {}",
    "other_task": "prompts of {}",
    "own": "its own prompts",
}


def compared(job: Job) -> list[dict[str, Any]]:
    """Every task and what it is compared with, in words; nothing where it was not measured."""
    if "relatedness" not in job.inputs:
        return []
    found = schemas.read(job.input("relatedness"), schemas.Relatedness).to_dict("records")
    return [{**row, "what": AGAINST[row["against"]].format(row["name"])} for row in found]


def overlaps(job: Job) -> Iterator[dict[str, Any]]:
    """Each task and benchmark with off-domain questions that might be the task's own: how many, and the first of them."""
    if "distances" not in job.inputs:
        return
    asked = schemas.read(job.input("distances"), schemas.Distances)
    for (embedder, task, benchmark), of in asked[~asked["in_domain"]].groupby(["embedder", "task", "benchmark"], sort=False):
        near = of[of["overlaps"]].sort_values("nearest", ascending=False, kind="stable")
        if len(near):
            place = {"embedder": embedder, "task": task, "benchmark": benchmark}
            yield {**place, "n": len(near), "of": len(of), "share": len(near) / len(of), "prompts": _first(near["prompt"])}


def doubtful(job: Job) -> Iterator[dict[str, Any]]:
    """Each task and benchmark with questions that are called in-domain and look off-domain, or the reverse: all of them."""
    if "distances" not in job.inputs:
        return
    asked = schemas.read(job.input("distances"), schemas.Distances)
    for (embedder, task, benchmark), of in asked.groupby(["embedder", "task", "benchmark"], sort=False):
        looks_in_domain = of["about"].isin(of.loc[of["in_domain"], "category"])
        other = of[of["about"].notna() & looks_in_domain.ne(of["in_domain"])]
        if len(other):
            place = {"embedder": embedder, "task": task, "benchmark": benchmark}
            yield {**place, "n": len(other), "of": len(of), "questions": other[["prompt", "category", "about"]].to_dict("records")}


def _first(prompts: pd.Series) -> list[str]:
    return list(dict.fromkeys(prompts))[:NAMED]
