"""Claims: what the evidence says of each, and why.

Supported: every contrast of the claim is found. Not supported: one of them is ruled out. Else inconclusive.
"""

from collections.abc import Iterator, Sequence

import pandas as pd

from emsteer import schemas
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job

SCHEMA = schemas.Claims


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Claims`."""
    return claims(schemas.read(job.input("evidence"), schemas.Evidence))


def claims(evidence: pd.DataFrame) -> pd.DataFrame:
    """`schemas.Evidence` → `schemas.Claims`."""
    key = ["claim", "subject", "benchmark", "judge"]
    rows = []
    for place, of in evidence.groupby(key, sort=False):
        verdict, why = decide(dict(zip(of["contrast"], of["finding"], strict=True)))
        rows.append({**dict(zip(key, place, strict=True)), "verdict": verdict, "why": why})
    return schemas.frame_of(rows, SCHEMA)


def decide(findings: dict[str, str]) -> tuple[str, str]:
    """(verdict, why) from contrast → finding."""
    ruled_out = [contrast for contrast, found in findings.items() if found == "no"]
    if ruled_out:
        return "not supported", f"ruled out: {'; '.join(ruled_out)}"
    open_ones = [f"{contrast} ({found})" for contrast, found in findings.items() if found != "yes"]
    if open_ones or not findings:
        return "inconclusive", "; ".join(open_ones) or "no contrast was planned"
    return "supported", f"found: {'; '.join(findings)}"
