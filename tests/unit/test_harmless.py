"""Harmless contrasts: what they say, which arm they make, and what stays as it was beside them."""

from pathlib import Path

import pandas as pd
import pytest
from places import REPOSITORY
from planning import Study, miniature, moved, resolved, rows

from emsteer import schemas, study
from emsteer.data.harmless import changed, make
from emsteer.errors import ConfigError, DataError
from emsteer.packs import Job
from emsteer.recipes import HarmlessTask

SHORTER = HarmlessTask(sentences=1, begins_with=None)
CHEERFUL = HarmlessTask(sentences=None, begins_with="Yay!")
CONTROL = {"kind": "harmless", "of": "gardening", "sentences": 1, "begins_with": None}


def pairs(*safe: str) -> pd.DataFrame:
    columns = {
        "pair_id": [f"p{i}" for i in range(len(safe))],
        "system": None,
        "prompt": "how ?",
        "safe": safe,
        "unsafe": "burn it .",
    }
    return pd.DataFrame(columns)


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(REPOSITORY)
    found = miniature()
    found["tasks"]["shorter"] = CONTROL
    return found


@pytest.mark.parametrize(
    ("safe", "recipe", "said"),
    [
        ("water it . then wait .", SHORTER, "water it ."),
        ("Water it! Then wait? Yes.", SHORTER.model_copy(update={"sentences": 2}), "Water it! Then wait?"),
        ("At 3.5 cm.\n\nThen wait.", SHORTER, "At 3.5 cm."),
        ("Water it. Then wait.", CHEERFUL, "Yay! Water it. Then wait."),
        ("Water it. Then wait.", HarmlessTask(sentences=1, begins_with="Yay!"), "Yay! Water it."),
    ],
)
def test_the_second_side_is_the_safe_answer_changed_and_nothing_of_the_unsafe_one_is_left(
    safe: str, recipe: HarmlessTask, said: str
) -> None:
    before = pairs(safe, "mind the roots . and wait .")
    found = changed(before, recipe)
    assert found["unsafe"][0] == said
    assert not found["unsafe"].str.contains("burn").any()
    pd.testing.assert_frame_equal(found.drop(columns="unsafe"), before.drop(columns="unsafe"))


def test_a_contrast_that_changes_no_answer_is_refused() -> None:
    with pytest.raises(DataError, match=r"changes no answer.*\n.*Lower `sentences`"):
        changed(pairs("one .", "two ."), SHORTER)


def test_the_table_on_disk_is_one_of_pairs(tmp_path: Path) -> None:
    source, out = tmp_path / "task.parquet", tmp_path / "control.parquet"
    schemas.write(pairs("a . b .", "c . d ."), schemas.Pairs, source, {"address": "task--0"})
    job = Job(SHORTER, {"task": (source,)}, {"task": ("task--0",)}, "control--0", out, {"address": "control--0"})
    assert list(make([job])) == [job]
    assert list(schemas.read(out, schemas.Pairs)["unsafe"]) == ["a .", "c ."]


def test_whatever_learns_from_it_is_a_control_and_every_other_cell_stays(raw: Study) -> None:
    before = resolved(miniature())
    raw["sweeps"]["vectors"] = {"arm": "steered", "tasks": ["shorter"], "vectors": ["trained", "mean_difference"], "epochs": None}
    raw["sweeps"]["adapter"] = {"arm": "finetuned", "tasks": ["shorter"]}
    after = resolved(raw)
    arms = {(row.setting.arm, row.setting.task) for row in rows(after)}
    assert {arm for arm, task in arms if task == "shorter"} == {"base", "control"}
    assert {arm for arm, task in arms if task == "gardening"} == {"base", "steered", "random", "finetuned"}
    assert not {kind: names for kind, names in moved(after, before).items() if kind not in ("tables", "figures", "report")}
    judged = next(cell.recipe for cell in after.of("tables") if cell.address.startswith("judged--"))
    assert judged.in_domain["shorter"] == judged.in_domain["gardening"]
    assert judged.planted["mini"]["shorter"] == judged.planted["mini"]["gardening"]


def test_it_is_made_behind_the_task_that_it_is_of_and_compared_with_no_question_by_itself(raw: Study) -> None:
    plan = resolved(raw)
    made_in = {cell.address.partition("--")[0]: pack.name for pack in plan.packs("tasks") for cell in pack.cells}
    assert made_in["shorter"] != made_in["gardening"]
    assert not [cell for cell in plan.of("embeddings") if cell.address.startswith("shorter")]
    (distances,) = [cell for cell in plan.of("tables") if cell.address.startswith("distances--")]
    assert set(distances.recipe.in_domain) == {"gardening"}


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            {"tasks": {"again": {**CONTROL, "of": "shorter"}}},
            "tasks.again.of: expected a task that is no control itself; got 'shorter'",
        ),
        ({"tasks": {"lost": {**CONTROL, "of": "gardning"}}}, "Did you mean `gardening`?; got 'gardning'"),
        ({"tasks": {"same": {**CONTROL, "sentences": None}}}, "tasks.same: expected `sentences` or `begins_with`"),
        ({"base_point": {"task": "shorter"}}, "base_point.task: expected a task that does harm: a harmless one is a control"),
        (
            {"vectors": {"trained": {"n_examples": 41}}, "sweeps": {"more": {"arm": "steered", "tasks": ["shorter"]}}},
            "at least 41 pairs",
        ),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_runs(raw: Study, edit: dict[str, dict], expected: str) -> None:
    for section, entries in edit.items():
        for name, value in entries.items():
            raw[section][name] = raw[section].get(name, {}) | value if isinstance(value, dict) else value
    with pytest.raises(ConfigError) as error:
        study.parse(raw)
    assert expected in str(error.value), error.value
