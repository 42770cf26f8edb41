"""The paper's six models, tiny, through every stage of one study: vectors, adapters, answers of each arm, scores, tables."""

from pathlib import Path

import pytest
from families import FAMILIES, pinned
from planning import Study, put, resolved, without_elicitations

from emsteer import packs, schemas, study
from emsteer.models.load import load_model
from emsteer.plan import KINDS, Plan

MADE = [kind for kind in KINDS if kind not in ("figures", "report")]
N_QUESTIONS = {"dev": 1, "test": 1}  # of each of eight categories


@pytest.fixture
def raw(folder: Path) -> Study:
    """The miniature with the six in the place of its organisms, one setting an arm for each."""
    raw = without_elicitations(study.reading.read(Path("params.yaml")).value)
    raw["models"] = {name: pinned(name) for name in FAMILIES}
    raw |= {"embedders": {}, "relatedness": None, "effects": None, "witnesses": {}, "claims": {}}
    put(raw, "base_point.model", next(iter(FAMILIES)))
    put(raw, "base_point.steered.doses", [2])
    put(raw, "vectors.trained.n_examples", 8)
    raw["vectors"].pop("low_rank")
    raw["benchmarks"]["everyday"] |= {f"{split}_per_category": n for split, n in N_QUESTIONS.items()}
    raw["answers"]["samples_per_question"] = 1
    raw["sweeps"] = {
        "steered": {"arm": "steered", "models": [*FAMILIES]},
        "finetuned": {"arm": "finetuned", "models": [*FAMILIES]},
    }
    return raw


def made(plan: Plan) -> None:
    load_model.cache_clear()
    for kind in MADE:
        for pack in plan.packs(kind):
            packs.fill(pack.id, pack.jobs(), "log.txt")


def test_each_of_the_six_is_studied_whole(raw: Study) -> None:
    plan = resolved(raw)
    made(plan)
    for name in FAMILIES:
        answers = [
            schemas.read(Path(cell.path), schemas.Answers) for cell in plan.of("answers") if cell.address.startswith(f"{name}.")
        ]
        assert len(answers) == 3, "base, steered and finetuned"
        base, *changed = answers
        assert all((base["text"] != other["text"]).any() for other in changed), name
        assert set(base["finish_reason"]) <= {"stop", "length"}
    tables = {cell.address.partition("--")[0]: cell for cell in plan.of("tables")}
    counts = schemas.read(next(Path(tables["counts"].path).glob("*.parquet")), schemas.Counts)
    counted = counts.groupby("model")["n"].sum()
    assert dict(counted) == dict.fromkeys(FAMILIES, 3 * 8 * sum(N_QUESTIONS.values()))
