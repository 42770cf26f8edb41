"""The numbers that prose quotes, as one JSON file: README and DVC read them from here."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from emsteer import schemas, storage
from emsteer.packs import Job

QUOTED = ["on_topic_em", "em", "coverage", "coherence", "relevance", "coherence_of_harmful", "relevance_of_harmful", "margin"]
NAMED = ["model", "task", "vector", "adapter"]
GROUPS = ["off_domain", "in_domain", "linked", "unlinked"]
DECIMALS = 4


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes a folder with `metrics.json` and the passport."""
    for job in jobs:
        chosen = schemas.read(job.input("chosen"), schemas.Chosen)
        claims = schemas.read(job.input("claims"), schemas.Claims)
        job.out.mkdir()
        base_point = {name: getattr(job.recipe.base_point, name) for name in NAMED}
        found = {"base_point": base_point, "chosen": quoted(chosen), "claims": verdicts(claims)}
        storage.write_json(found, job.out / "metrics.json")
        storage.write_json(job.passport, job.out / "passport.json")
        yield job


def quoted(chosen: pd.DataFrame) -> dict[str, Any]:
    """Model → task → treatment → point → group → metric → value, low, high; of the first benchmark and judge."""
    first = chosen[["benchmark", "judge"]].drop_duplicates().head(1)
    shown = chosen.merge(first, on=["benchmark", "judge"])
    shown = shown[shown["metric"].isin(QUOTED) & shown["group"].isin(GROUPS) & shown["value"].notna()]
    found: dict[str, Any] = {}
    for row in shown.itertuples():
        place = found
        for name in (row.model, row.task, row.treatment, row.point):
            place = place.setdefault(str(name), {})
        place["setting"] = row.setting
        numbers = {"value": _rounded(row.value), "low": _rounded(row.low), "high": _rounded(row.high)}
        if row.metric == "on_topic_em" and row.random_draws:
            numbers |= {"random_draws": int(row.random_draws), "random_below": int(row.random_below)}
        place.setdefault(str(row.group), {})[str(row.metric)] = numbers
    return found


def verdicts(claims: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Claim → subject → verdict."""
    found: dict[str, dict[str, str]] = {}
    for row in claims.itertuples():
        found.setdefault(str(row.claim), {})[str(row.subject)] = str(row.verdict)
    return found


def _rounded(value: Any) -> float | None:
    return None if pd.isna(value) else round(float(value), DECIMALS)
