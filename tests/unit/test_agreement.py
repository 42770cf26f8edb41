"""Agreement and means of witnesses: areas by hand, pairs of one setting only, and questions as the sample."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from settings_by_hand import setting
from sklearn.metrics import roc_auc_score

from emsteer import schemas, storage
from emsteer.analysis import witnesses
from emsteer.analysis.agreement import agreement, table
from emsteer.analysis.witnesses import means
from emsteer.packs import Job
from emsteer.recipes import Agreement, Bootstrap, Seen, Setting, Thresholds, WitnessedRow, Witnesses

BOOTSTRAP = Bootstrap(n_resamples=200, level=0.95, seed=0)
THRESHOLDS = Thresholds(misaligned_below=50, coherent_above=50, relevant_above=50)
TUNED = {"arm": "finetuned", "model": "tiny", "task": "roses", "adapter": "lora", "steps": 1, "seed": 0, "dose": 1.0}
SETTINGS = {
    "base": Setting(arm="base", model="tiny", task="roses"),
    "low": setting({**TUNED, "dose_unit": "adapter_scale"}),
}
QUESTIONS = [("r1", "roses"), ("c1", "cooking"), ("c2", "cooking"), ("m1", "money")]


def numbers(
    values: list[float], labelled: list[bool], strata: list[int] | None = None, questions: list[str] | None = None
) -> dict[str, object]:
    return agreement(
        np.array(values, dtype=float), np.array(labelled, dtype=bool), np.array(strata or [0] * len(values)),
        pd.Series(questions or [str(index) for index in range(len(values))], dtype="str"), BOOTSTRAP,
    )  # fmt: skip


def test_an_area_is_that_of_the_roc_curve_and_lies_in_its_interval() -> None:
    random = np.random.default_rng(0)
    values, labelled = random.integers(0, 5, 40).astype(float), random.random(40) < 0.4
    found = numbers(list(values), list(labelled))
    assert found["auc"] == pytest.approx(roc_auc_score(labelled, values))
    assert found["low"] < found["auc"] < found["high"] and found["n_with"] == labelled.sum() and found["n_questions"] == 40


def test_within_settings_only_pairs_of_one_setting_count() -> None:
    values, labelled, strata = [1, 2, 11, 12], [True, False, True, False], [0, 0, 1, 1]
    assert numbers(values, labelled)["auc"] == 0.25 and numbers(values, labelled, strata)["auc"] == 0
    apart = numbers([1, 1, 9, 9], [False, False, True, True], [0, 0, 1, 1])
    assert pd.isna(apart["auc"]), "it tells arms apart, and has no pair within one"


def test_one_question_has_no_width_and_two_answers_to_it_move_together() -> None:
    found = numbers([1, 2, 3, 4], [False, True, False, True], questions=["a", "a", "a", "a"])
    assert found["low"] == found["auc"] == found["high"] == 0.75 and found["n_questions"] == 1


def test_no_label_is_no_number() -> None:
    for labelled in ([False, False], [True, True], []):
        found = numbers([1.0] * len(labelled), labelled)
        assert pd.isna(found["auc"]) and pd.isna(found["low"])


def test_means_are_over_answers_and_count_those_that_have_no_value() -> None:
    rows = [(0, "a", 1.0), (0, "a", 0.0), (0, "b", None), (0, "c", 1.0), (1, "a", None), (1, "b", None), (1, "c", None)]
    found = means(pd.DataFrame(rows, columns=["row", "question_id", "value"]), 0.95, bounded=True).set_index("row")
    assert found.loc[0, "value"] == pytest.approx(2 / 3) and found.loc[0, ["n", "n_excluded", "n_questions"]].tolist() == [3, 1, 2]
    assert found.loc[0, "low"] <= 2 / 3 <= found.loc[0, "high"] <= 1
    assert np.isnan(found.loc[1, "value"]) and found.loc[1, "n_excluded"] == 3 and found.loc[1, "interval"] == "none"


def on_disk(folder: Path) -> dict[str, tuple[str, ...]]:
    """Two settings, one answer to each question: the adapter is careless off-domain, and `closeness` knows nothing of it."""
    asked = pd.DataFrame(QUESTIONS, columns=["question_id", "category"]).assign(
        split="test", system=None, prompt="why ?", safe=None, unsafe=None
    )
    schemas.write(schemas.frame_of(asked, schemas.Questions), schemas.Questions, folder / "questions", {"address": "questions"})
    storage.write_json({"residual_norms": [1.0]}, folder / "calibration")
    storage.write_tensors({"unused": np.zeros(1)}, folder / "lora.safetensors", {"relative_norm": 0.1})
    ids = [name for name, _ in QUESTIONS]
    for name in SETTINGS:
        careless = [name == "low" and question != "r1" for question in ids]
        statuses = ["ok", "ok", "ok", "unlabelled" if name == "base" else "ok"]
        judged = pd.DataFrame(
            {"question_id": ids, "sample": 0, "status": statuses, "alignment": [0.0 if one else 100.0 for one in careless]}
        )
        judged = judged.assign(coherence=100.0, relevance=100.0, about=None, reply="")
        judged.loc[judged["status"].eq("unlabelled"), ["alignment", "coherence", "relevance"]] = None
        values = pd.DataFrame({"question_id": ids, "sample": 0, "value": [0.2, 0.4, 0.6, None]})
        margin = pd.DataFrame(
            {"question_id": ids[1:3], "log_p_safe": -2.0, "log_p_unsafe": -1.0, "margin": 1.0 if name == "low" else -1.0}
        )
        schemas.write(schemas.frame_of(judged, schemas.Scores), schemas.Scores, folder / f"scores-{name}", {"address": name})
        schemas.write(values, schemas.Witnessed, folder / f"closeness-{name}", {"address": name})
        schemas.write(margin, schemas.Margins, folder / f"margins-{name}", {"address": name})
    return {role: tuple(f"{role}-{name}" for name in SETTINGS) for role in ("scores", "margins")} | {
        "witnesses": tuple(f"closeness-{name}" for name in SETTINGS)
    }


def row(name: str, judge: str = "reader") -> WitnessedRow:
    return WitnessedRow(
        setting=SETTINGS[name], benchmark="everyday", judge=judge, questions="questions", scores=(f"scores-{name}",),
        margins=f"margins-{name}", made=() if name == "base" else ("lora",), calibration="calibration",
        witnesses=(Seen(witness="closeness", cells=(f"closeness-{name}",)),),
    )  # fmt: skip


def job(recipe: object, folder: Path, addresses: dict[str, tuple[str, ...]]) -> Job:
    paths = {role: tuple(folder / name for name in names) for role, names in addresses.items()}
    return Job(recipe, paths, addresses, "table--0", folder / "out", {})


def test_agreement_is_over_labelled_answers_and_margins_stand_for_their_question(tmp_path: Path) -> None:
    addresses = on_disk(tmp_path)
    recipe = Agreement(bootstrap=BOOTSTRAP, thresholds={"reader": THRESHOLDS}, rows=tuple(map(row, SETTINGS)))
    found = schemas.check(table(job(recipe, tmp_path, addresses)), schemas.Agreement, "here")
    assert set(found["scope"]) == {"all", "within settings", "base", "finetuned"} and set(found["witness"]) == {
        "closeness",
        "margin",
    }
    misaligned = found[found["label"].eq("misaligned")].set_index(["witness", "scope"])
    assert misaligned.loc[("margin", "all"), ["auc", "n_with", "n_without"]].tolist() == [1, 2, 2], "it tells the arms apart"
    assert misaligned.loc[("margin", "within settings"), "auc"] != misaligned.loc[("margin", "all"), "auc"]
    assert misaligned.loc[("closeness", "finetuned"), ["auc", "n_with", "n_without"]].tolist() == [1, 2, 1]
    assert misaligned.loc[("closeness", "all"), "n_without"] == 4 and misaligned.loc[("closeness", "all"), "auc"] == pytest.approx(
        6 / 8
    )
    assert found[found["label"].eq("relevant")]["auc"].isna().all(), "all are relevant: there is no pair"


def test_the_table_of_witnesses_says_means_by_group_and_knows_doses(tmp_path: Path) -> None:
    addresses = on_disk(tmp_path) | {
        "questions": ("questions",),
        "vectors": (),
        "adapters": ("lora.safetensors",),
        "calibrations": ("calibration",),
    }
    rows = tuple(
        row(name, "none").model_copy(update={"made": () if name == "base" else ("lora.safetensors",)}) for name in SETTINGS
    )
    recipe = Witnesses(level=0.95, in_domain={"roses": ("roses",)}, rows=rows)
    found = schemas.check(witnesses.table(job(recipe, tmp_path, addresses)), schemas.Rates, "here")
    values = found.set_index(["setting", "group", "metric"])["value"].to_dict()
    assert values[("tiny.base", "off_domain", "closeness")] == 0.5 and values[("tiny.base", "in_domain", "closeness")] == 0.2
    assert values[("tiny.roses.lora.s0.t1.x1", "off_domain", "margin")] == 1 and len(values) == 6
    assert set(found["judge"]) == {"none"} and found["n_excluded"].sum() == 2
    assert found["dose_relative"].dropna().unique().tolist() == [0.1]
