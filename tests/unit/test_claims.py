"""Claims: the verdict on a declaration, how many of how many, and why."""

from pathlib import Path

import pandas as pd
import pytest

from emsteer import schemas
from emsteer.analysis import claims
from emsteer.analysis.claims import counted
from emsteer.packs import Job
from emsteer.recipes import Claims, Declaration, Needs

S, E, C, R, U, N = "supported", "equivalent", "contradicted", "reversed", "not distinguishable", "not tested"


@pytest.mark.parametrize(
    ("verdicts", "least", "expected"),
    [
        ([S, S, S], 3, S),
        ([S, S, U], 3, U),
        ([S, S, U], 2, S),
        ([S, S, N], 3, N),
        ([S, S, C], 3, C),
        ([S, C, C], 2, C),
        ([S, C, R], 1, S),
        ([S, C, U], 2, U),
        ([R, N, N], 3, C),
        ([C, N, N], 2, N),
        ([U, N, N], 1, U),
        ([N, N], 1, N),
        ([E, E], 2, E),
        ([E, U], 2, U),
    ],
)
def test_how_many_of_how_many(verdicts: list[str], least: int, expected: str) -> None:
    assert counted({str(place): verdict for place, verdict in enumerate(verdicts)}, least) == expected


def found(claim: str, subject: str, verdict: str, member: str = "", **changes: object) -> dict[str, object]:
    numbers = {"value": 0.5, "reference": 0.1, "difference": 0.4, "low": 0.3, "high": 0.5, "smallest_effect": 0.05}
    names = {"metric": "on_topic_em", "setting": "a", "reference_setting": "b", "benchmark": "everyday", "judge": "rubric"}
    place = {"claim": claim, "subject": subject, "member": member, "verdict": verdict, "n_questions": 9, "n_family": 1}
    place |= {"simultaneous_low": 0.2, "simultaneous_high": 0.6, "p_sign_flip": 0.01, "p_wilcoxon": 0.02, "p_holm": 0.04}
    place |= {"direction": "more", "n_seeds": 3, "k_seeds": 2, "smallest_seen": 0.31, "missing": "", "family": claim}
    return {**place, **numbers, **names, **changes}


NUMBERS = ["value", "reference", "difference", "low", "high", "simultaneous_low", "simultaneous_high", "p_sign_flip", "p_wilcoxon",
           "p_holm", "smallest_seen"]  # fmt: skip
UNTESTED = dict.fromkeys(NUMBERS) | {"n_questions": 0, "n_family": 0, "n_seeds": 0, "k_seeds": 0}


def table(folder: Path, rows: list[dict[str, object]], **needs: Needs | None) -> pd.DataFrame:
    evidence = schemas.frame_of(rows, schemas.Evidence)
    schemas.write(evidence, schemas.Evidence, folder / "evidence.parquet", {"address": "evidence"})
    said = {"declared": "2026-11-26", "digest": "0123456789"}
    sources = {"narrow": None}
    declared = {name: Declaration(says=f"{name} is so.", source=sources.get(name, "somebody"), needs=of, **said)
                for name, of in needs.items()}  # fmt: skip
    inputs = {"evidence": (folder / "evidence.parquet",)}
    job = Job(
        Claims(claims=declared, readers=("rubric", "other")), inputs, {"evidence": ("evidence",)}, "claims--0", folder / "out", {}
    )
    return schemas.check(claims.table(job), schemas.Claims, "claims")


def test_every_claim_subject_benchmark_and_judge_has_a_verdict_of_its_own_by_whose_it_is(tmp_path: Path) -> None:
    rows = [found("narrow", "one", U), found("broad", "one", S), found("broad", "two", C)]
    rows += [found("broad", "one", R, judge="other"), found("broad", "one", U, benchmark="x")]
    verdicts = table(tmp_path, rows, narrow=None, broad=None).set_index(["claim", "subject", "benchmark", "judge"])["verdict"]
    assert list(verdicts.to_dict().items()) == [
        (("broad", "one", "everyday", "rubric"), S),
        (("broad", "two", "everyday", "rubric"), C),
        (("broad", "one", "everyday", "other"), R),
        (("broad", "one", "x", "rubric"), U),
        (("narrow", "one", "everyday", "rubric"), U),
    ]


def test_a_verdict_says_why_and_what_was_declared_when(tmp_path: Path) -> None:
    missing = "tiny, gardening: there is no such setting"
    rows = [found("seen", "one", S), found("unseen", "one", U), found("gone", "one", N, missing=missing, **UNTESTED)]
    rows += [found("hidden", "one", U, smallest_seen=None), found("same", "one", U, direction="same")]
    verdicts = table(tmp_path, rows, seen=None, unseen=None, gone=None, hidden=None, same=None).set_index("claim")
    numbers = "+0.4 [+0.2, +0.6], smallest effect 0.05; 2 of 3 seeds by themselves"
    assert verdicts["why"].to_dict() == {
        "seen": numbers, "unseen": f"{numbers}; 0.31 would have been told apart", "gone": missing,
        "hidden": f"{numbers}; no difference would have been told apart", "same": f"{numbers}; equal within 0.31",
    }  # fmt: skip
    assert verdicts.loc["seen", ["says", "source", "declared", "digest"]].tolist() == [
        "seen is so.", "somebody", "2026-11-26", "0123456789"
    ]  # fmt: skip


def test_a_quantifier_is_spelled_out(tmp_path: Path) -> None:
    rows = [
        found("broad", "one", verdict, member) for member, verdict in (("money", S), ("study", S), ("sports", U), ("travel", C))
    ]
    row = table(tmp_path, rows, broad=Needs(of="categories", at_least=3)).iloc[0]
    assert (row["verdict"], row["n_held"], row["n_compared"]) == (U, 2, 4)
    assert row["why"] == (
        "held in 2 of 4 categories, needed 3: money, study; contradicted in travel; not distinguishable in sports"
    )
    assert table(tmp_path, rows, broad=Needs(of="categories", at_least="all")).iloc[0]["verdict"] == C


def test_no_claim_is_an_empty_table(tmp_path: Path) -> None:
    assert len(table(tmp_path, [])) == 0
