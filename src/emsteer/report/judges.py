"""What the page says of judges: whether they work, what readers would have said, and what witnesses know of that."""

from collections.abc import Iterator
from typing import Any

from emsteer import schemas
from emsteer.analysis.agreement import ALL, WITHIN
from emsteer.packs import Job


def instruments(job: Job) -> list[dict[str, Any]]:
    """How well every judge that is no reader tells anchors apart, score by score; nothing without anchors."""
    if "instruments" not in job.inputs:
        return []
    return schemas.read(job.input("instruments"), schemas.Instruments).to_dict("records")


def agreement(job: Job) -> Iterator[dict[str, object]]:
    """Every witness and label: how well it tells answers apart, over all pairs and within settings; nothing without labels."""
    if "agreement" not in job.inputs:
        return
    found = schemas.read(job.input("agreement"), schemas.Agreement)
    both = found[found["scope"].isin([ALL, WITHIN])]
    for (model, task, benchmark, judge, witness, label), of in both.groupby([*schemas.PLACE, "witness", "label"], sort=False):
        scopes = of.set_index("scope").to_dict("index")
        place = {"model": model, "task": task, "benchmark": benchmark, "judge": judge}
        yield {**place, "witness": witness, "label": label, "all": scopes[ALL], "within": scopes[WITHIN]}


def corrected(job: Job) -> dict[str, Any]:
    """`rows`: rates that a reader's labels correct; `n_without`: settings that have none. Nothing where readers correct nobody."""
    if "corrected" not in job.inputs:
        return {}
    found = schemas.read(job.input("corrected"), schemas.Corrected)
    rows = found[found["refused"].isna()]
    return {"rows": rows.to_dict("records"), "n_without": len(set(found["setting"]) - set(rows["setting"]))}
