"""`schemas.Counts` by hand: settings, and how their questions were answered."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from settings_by_hand import setting

from emsteer import schemas
from emsteer.analysis.settings import setting_columns, setting_name
from emsteer.packs import Job
from emsteer.recipes import BasePoint, Bootstrap, Selection, Setting

BOOTSTRAP = Bootstrap(n_resamples=500, level=0.95, seed=0)
SELECTION = Selection(share_of_largest=0.8, least_coverage=0.8)
BASE_POINT = BasePoint(
    model="tiny", task="gardening", seed=0, vector="trained", layer=1, epochs=8, positions="all",
    unit="vector_norm", adapter="lora", steps=32,
)  # fmt: skip
Row = dict[str, Any]


def base(model: str = "tiny", task: str = "gardening") -> Row:
    """The untreated setting."""
    return _labelled(Setting(arm="base", model=model, task=task))


def steered(dose: float, **changes: Any) -> Row:
    """A steered setting at the base point, but for its dose and `changes`; its relative dose is half its dose."""
    point = BASE_POINT.model_dump(include={"model", "task", "seed", "vector", "layer", "epochs", "positions"})
    return _labelled(setting({"arm": "steered", **point, "dose": dose, "dose_unit": "vector_norm", **changes}))


def finetuned(dose: float, **changes: Any) -> Row:
    """A finetuned setting at the base point, but for its dose and `changes`."""
    point = BASE_POINT.model_dump(include={"model", "task", "seed", "adapter", "steps"})
    return _labelled(setting({"arm": "finetuned", **point, "dose": dose, "dose_unit": "adapter_scale", **changes}))


def _labelled(given: Setting) -> Row:
    columns = setting_columns(given)
    doses = {"dose_as_built": columns["dose"], "dose_relative": None if columns["dose"] is None else columns["dose"] / 2}
    return {"setting": setting_name(given), **columns, **doses, "dose_kl": None, "benchmark": "everyday", "judge": "rubric"}


def said(question: str, relation: str, em: int = 0, of: int = 4, *, split: str = "test", **changes: Any) -> Row:
    """Answers to one question, named `category-…`: `em` of them EM (and on topic where off-domain), all of them coherent.

    Scores: alignment 10 or 90, coherence 90, relevance 80; of harmful answers 70 and 60. `unparsed`, `error` and `unlabelled` are
    answers more.
    """
    scores = {"alignment": 10 * em + 90 * (of - em), "coherence": 90 * of, "relevance": 80 * of}
    counts = {"n": of, "judged": of, "judged_off_domain": of * (relation != "in_domain"), "coherent": of, "em": em}
    counts |= {"on_topic_em": em * (relation != "in_domain"), "harmful": em}
    of_harmful = {"coherence_of_harmful": 70 * em, "relevance_of_harmful": 60 * em}
    squares = {"alignment": 100 * em + 8100 * (of - em), "coherence": 8100 * of, "relevance": 6400 * of}
    squares |= {"coherence_of_harmful": 4900 * em, "relevance_of_harmful": 3600 * em}
    place = {"question_id": question, "category": question.partition("-")[0], "relation": relation, "split": split}
    place["prompt"] = f"what of {question} ?"
    row = {**place, **counts, **scores, **of_harmful, **{f"{name}_squares": value for name, value in squares.items()}}
    row |= {"refusal": 0, "incoherent": 0, "unparsed": 0, "error": 0, "unlabelled": 0, "margin": None, **changes}
    lost = row["unparsed"] + row["error"] + row["unlabelled"]
    return row | ({"n": row["judged"] + lost} if lost else {"error": row["n"] - row["judged"]})


def asked(em: int, em_in_domain: int = 0, n: int = 6, *, linked: int | None = None, **changes: Any) -> list[Row]:
    """Dev and test questions: n off-domain, two in-domain. `linked`: EM of half of the off-domain ones, `em` of the others."""
    found = []
    for split in ("dev", "test"):
        found += [said(f"gardening-{split}{i}", "in_domain", em_in_domain, split=split, **changes) for i in range(2)]
        for i in range(n):
            is_linked = linked is not None and i % 2 == 0
            relation = "off_domain" if linked is None else ("linked" if is_linked else "unlinked")
            number = linked if is_linked and linked is not None else em
            found.append(said(f"money-{split}{i}", relation, number, split=split, **changes))
    return found


def counts(*parts: tuple[Row, Sequence[Row]], breadth: float | None = None) -> pd.DataFrame:
    """The table of settings and what they answered."""
    rows = [{**setting, **answer, "planted_breadth": breadth} for setting, answers in parts for answer in answers]
    return schemas.check(schemas.frame_of(rows, schemas.Counts), schemas.Counts, "by hand")


def job_on(table: pd.DataFrame, recipe: Any, folder: Path) -> Job:
    """A job that reads the table from disk."""
    schemas.write(table, schemas.Counts, folder / "counts.parquet", {"address": "counts--0"})
    return Job(recipe, {"counts": (folder / "counts.parquet",)}, {"counts": ("counts--0",)}, "table--0", folder / "out", {})


def instruments(**works: bool) -> pd.DataFrame:
    """Which scores of the rubric tell anchors apart."""
    numbers = {"auc": 0.7, "low": 0.6, "high": 0.8, "n_high": 8, "n_low": 8, "n_failed": 0, "n_questions": 8, "least_auc": 0.9}
    rows = [{"benchmark": "everyday", "judge": "rubric", "score": name, "works": it, **numbers} for name, it in works.items()]
    return schemas.frame_of(rows, schemas.Instruments)
