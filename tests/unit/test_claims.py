"""Claims: supported where every contrast is found, not supported where one is ruled out, else inconclusive; and why."""

from pathlib import Path

import pandas as pd
import pytest

from emsteer import schemas
from emsteer.analysis import claims
from emsteer.analysis.claims import decide
from emsteer.packs import Job
from emsteer.recipes import Claims


@pytest.mark.parametrize(
    ("findings", "verdict", "why"),
    [
        ({"over base": "yes"}, "supported", "found: over base"),
        ({"over base": "yes", "over random": "yes"}, "supported", "found: over base; over random"),
        ({"over base": "yes", "over random": "no"}, "not supported", "ruled out: over random"),
        ({"over base": "no", "over random": "not tested"}, "not supported", "ruled out: over base"),
        ({"over base": "no", "over random": "no"}, "not supported", "ruled out: over base; over random"),
        ({"over base": "yes", "over random": "unclear"}, "inconclusive", "over random (unclear)"),
        ({"over base": "unclear", "over random": "not tested"}, "inconclusive", "over base (unclear); over random (not tested)"),
        ({"over base": "not tested"}, "inconclusive", "over base (not tested)"),
        ({}, "inconclusive", "no contrast was planned"),
    ],
)
def test_every_branch_of_a_verdict(findings: dict[str, str], verdict: str, why: str) -> None:
    assert decide(findings) == (verdict, why)


def found(claim: str, subject: str, contrast: str, finding: str, **changes: object) -> dict[str, object]:
    numbers = {"value": 0.5, "reference": 0.1, "difference": 0.4, "low": 0.3, "high": 0.5, "smallest_effect": 0.05}
    names = {"metric": "on_topic_em", "setting": "a", "reference_setting": "b", "benchmark": "everyday", "judge": "rubric"}
    place = {"claim": claim, "subject": subject, "contrast": contrast, "finding": finding, "n_questions": 9, "n_family": 1}
    place |= {"simultaneous_low": 0.2, "simultaneous_high": 0.6, "p_sign_flip": 0.01, "p_wilcoxon": 0.02, "p_holm": 0.04}
    return {**place, **numbers, **names, **changes}


def table(folder: Path, rows: list[dict[str, object]]) -> pd.DataFrame:
    evidence = schemas.frame_of(rows, schemas.Evidence)
    schemas.write(evidence, schemas.Evidence, folder / "evidence.parquet", {"address": "evidence"})
    job = Job(Claims(), {"evidence": (folder / "evidence.parquet",)}, {"evidence": ("evidence",)}, "claims--0", folder / "out", {})
    return schemas.check(claims.table(job), schemas.Claims, "claims")


def test_every_claim_subject_benchmark_and_judge_has_a_verdict_of_its_own(tmp_path: Path) -> None:
    rows = [found("broad", "one", "over base", "yes"), found("broad", "one", "over random", "yes")]
    rows += [found("broad", "two", "over base", "no"), found("narrow", "one", "over base", "unclear")]
    rows += [found("broad", "one", "over base", "no", judge="other"), found("broad", "one", "over base", "unclear", benchmark="x")]
    verdicts = table(tmp_path, rows).set_index(["claim", "subject", "benchmark", "judge"])["verdict"].to_dict()
    assert verdicts == {
        ("broad", "one", "everyday", "rubric"): "supported",
        ("broad", "two", "everyday", "rubric"): "not supported",
        ("narrow", "one", "everyday", "rubric"): "inconclusive",
        ("broad", "one", "everyday", "other"): "not supported",
        ("broad", "one", "x", "rubric"): "inconclusive",
    }


def test_no_evidence_is_an_empty_table(tmp_path: Path) -> None:
    assert len(table(tmp_path, [])) == 0
