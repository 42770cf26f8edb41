"""The numbers that prose quotes, and the few that `dvc metrics diff` and `dvc exp show` compare: a JSON file each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from emsteer import schemas, storage
from emsteer.packs import Job

QUOTED = ["on_topic_em", "em", "coverage", "coherence", "relevance", "coherence_of_harmful", "relevance_of_harmful", "margin"]
NAMED = ["model", "task", "vector", "adapter"]
GROUPS = ["off_domain", "in_domain", "linked", "unlinked"]
DECIMALS = 4
COMPARED = {  # in the headline → group and metric
    "on_topic_em": ("off_domain", "on_topic_em"),
    "em_in_domain": ("in_domain", "em"),
    "coherence": ("off_domain", "coherence"),
}


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes a folder with `metrics.json`, `headline.json` and the passport."""
    for job in jobs:
        chosen = schemas.read(job.input("chosen"), schemas.Chosen)
        claims = schemas.read(job.input("claims"), schemas.Claims)
        job.out.mkdir()
        base_point = {name: getattr(job.recipe.base_point, name) for name in NAMED}
        found = {"base_point": base_point, "chosen": quoted(chosen), "claims": verdicts(claims)}
        storage.write_json(found, job.out / "metrics.json")
        storage.write_json(headline(found), job.out / "headline.json")
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


def headline(found: dict[str, Any]) -> dict[str, Any]:
    """Of what is quoted, what a change of the study is looked at for; shares and points, off-domain unless it says otherwise.

    Model → base, steered, finetuned → on-topic EM, EM in-domain, coherence, at the base point's task, the chosen settings and
    the first benchmark and judge; and how many verdicts there are of each kind.
    """
    point = found["base_point"]
    places = {
        "base": ("none", "base"),
        "steered": (point["vector"], "chosen"),
        "finetuned": (str(point["adapter"]), "chosen"),
    }
    models = {}
    for model, tasks in found["chosen"].items():
        of = {arm: tasks.get(point["task"], {}).get(treatment, {}).get(at) for arm, (treatment, at) in places.items()}
        models[model] = {arm: _few(numbers) for arm, numbers in of.items() if numbers}
    verdicts_of = Counter(verdict for subjects in found["claims"].values() for verdict in subjects.values())
    return {"models": models, "verdicts": dict(sorted(verdicts_of.items()))}


def _few(numbers: dict[str, Any]) -> dict[str, float]:
    few = {name: numbers.get(group, {}).get(metric, {}).get("value") for name, (group, metric) in COMPARED.items()}
    return {name: value for name, value in few.items() if value is not None}


def verdicts(claims: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Claim → subject → verdict."""
    found: dict[str, dict[str, str]] = {}
    for row in claims.itertuples():
        found.setdefault(str(row.claim), {})[str(row.subject)] = str(row.verdict)
    return found


def _rounded(value: Any) -> float | None:
    return None if pd.isna(value) else round(float(value), DECIMALS)
