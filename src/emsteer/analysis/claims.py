"""Claims: the verdict on each declaration, and why.

A claim of a single comparison has its verdict (`analysis.evidence`). One that needs m of K is supported where at least m are
(of sameness: equivalent), contradicted where so many are contradicted or reversed that m cannot be reached, not tested where
fewer than m could be tested, else not distinguishable.

Whatever its comparisons say, a claim rests on a judge. Where that is no reader, and has not been shown to tell anchors apart in
every score that the claim's metric is made of (`analysis.instruments`), that is the verdict.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pandas as pd

from emsteer import schemas
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import NOT_SHOWN, Claims, Needs

SCHEMA = schemas.Claims
HOLDS = ("supported", "equivalent")
FAILS = ("contradicted", "reversed")
MADE_OF = {  # metric → the scores that it is made of
    "on_topic_em": ("alignment", "coherence", "relevance"),
    **dict.fromkeys(("em", "em_given_coherent", "coherence_of_harmful"), ("alignment", "coherence")),
    "relevance_of_harmful": ("alignment", "relevance"),
    "harmful": ("alignment",),
    "coverage": ("coherence",),
    **{name: (name,) for name in ("alignment", "coherence", "relevance")},
}
KEY = ["claim", "subject", "benchmark", "judge"]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Claims`."""
    instruments = schemas.frame_of([], schemas.Instruments)
    if "instruments" in job.inputs:
        instruments = schemas.read(job.input("instruments"), schemas.Instruments)
    return claims(schemas.read(job.input("evidence"), schemas.Evidence), instruments, job.recipe)


def claims(evidence: pd.DataFrame, instruments: pd.DataFrame, recipe: Claims) -> pd.DataFrame:
    """`schemas.Evidence` and `schemas.Instruments` → `schemas.Claims`: by whose claim it is, ours last, and by name."""
    rows = []
    for place, of in evidence.groupby(KEY, sort=False):
        about = dict(zip(KEY, place, strict=True))
        declared = recipe.claims[str(about["claim"])]
        verdict, why = verdict_on(of, declared.needs)
        doubt = "" if about["judge"] in recipe.readers else doubts(instruments, str(about["judge"]), str(of["metric"].iloc[0]))
        if doubt and verdict != "not tested":
            verdict, why = NOT_SHOWN, f"{doubt}; else {verdict}: {why}"
        held = int(of["verdict"].isin(HOLDS).sum())
        said = declared.model_dump(include={"says", "source", "declared", "digest"})
        rows.append({**about, "verdict": verdict, "why": why, "n_held": held, "n_compared": len(of), **said})
    ordered = sorted(rows, key=lambda row: (row["source"] is None, str(row["source"]), str(row["claim"])))
    return schemas.frame_of(ordered, SCHEMA)


def doubts(instruments: pd.DataFrame, judge: str, metric: str) -> str:
    """Why a judge is not shown to measure what a metric is made of; empty: it is."""
    found = []
    of_judge = instruments[instruments["judge"].eq(judge)]
    for name in MADE_OF[metric]:
        rows = of_judge[of_judge["score"].eq(name)]
        if rows.empty:
            found.append(f"no anchors for {name}")
        found += [
            f"{name} tells anchors of {row.benchmark} apart with an area of {row.auc:.2f} [{row.low:.2f}, {row.high:.2f}], "
            f"{row.least_auc:g} is asked for"
            for row in rows[~rows["works"]].itertuples()
        ]
    return "; ".join(found)


def verdict_on(of: pd.DataFrame, needs: Needs | None) -> tuple[str, str]:
    """(verdict, why) from the comparisons of one subject."""
    if needs is None:
        (row,) = of.to_dict("records")
        return str(row["verdict"]), _of_one(row)
    total = len(of)
    least = total if needs.at_least == "all" else needs.at_least
    if of["verdict"].eq("not tested").all():
        return "not tested", "; ".join(dict.fromkeys(of["missing"]))
    verdicts = dict(zip(of["member"], of["verdict"], strict=True))
    return counted(verdicts, least), _of_many(verdicts, least, needs.of)


def counted(verdicts: dict[str, str], least: int) -> str:
    """The verdict on a claim that must hold in `least` of these."""
    found = list(verdicts.values())
    held, failed = (sum(one in kind for one in found) for kind in (HOLDS, FAILS))
    untested = found.count("not tested")
    if held >= least and found:
        return "equivalent" if "equivalent" in found else "supported"
    if len(found) - failed < least and failed:
        return "contradicted"
    return "not tested" if len(found) - untested < least or not found else "not distinguishable"


def _of_one(row: dict[str, Any]) -> str:
    if row["verdict"] == "not tested":
        return str(row["missing"])
    ends = f"[{row['simultaneous_low']:+.3g}, {row['simultaneous_high']:+.3g}]"
    said = f"{row['difference']:+.3g} {ends}, smallest effect {row['smallest_effect']:g}"
    if row["n_seeds"] > 1:
        said += f"; {row['k_seeds']} of {row['n_seeds']} seeds by themselves"
    if row["verdict"] == "not distinguishable":
        said += f"; {seen(row)}"
    return said


def seen(row: dict[str, Any], show: Callable[[float], str] = "{:.3g}".format) -> str:
    """What a run like that of a row of evidence would have seen (`analysis.evidence.smallest_seen`)."""
    smallest = row["smallest_seen"]
    shown = "no difference" if pd.isna(smallest) else show(smallest)
    return f"equal within {shown}" if row["direction"] == "same" else f"{shown} would have been told apart"


def _of_many(verdicts: dict[str, str], least: int, axis: str) -> str:
    held = [name for name, verdict in verdicts.items() if verdict in HOLDS]
    said = [f"held in {len(held)} of {len(verdicts)} {axis}, needed {least}" + (f": {', '.join(held)}" if held else "")]
    for verdict in (*FAILS, "not distinguishable", "not tested"):
        of = [name for name, found in verdicts.items() if found == verdict]
        said += [f"{verdict} in {', '.join(of)}"] if of else []
    return "; ".join(said)
