"""The plan: addresses move exactly where an edit can change bytes."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml
from places import REPOSITORY

from emsteer import plan, study
from emsteer.errors import DataError
from emsteer.plan import KINDS, Plan
from emsteer.plan.addresses import address, digits, raw_address

EXECUTION_ONLY = {("execution", "cells_per_job")}
VALID_EDITS = {  # where one more is not allowed
    ("sweeps", "trained", "layers", 0): 0,
    ("sweeps", "mean_difference", "layers", 0): 0,
    ("sweeps", "trained", "epochs", 0): 3,
    ("sweeps", "trained", "doses", 0): 0.5,
    ("models", "mini", "n_heads"): 4,
    ("models", "mini", "n_kv_heads"): 2,
}
DOWNSTREAM_OF_SCORES = {"tables", "figures", "report"}


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(REPOSITORY)
    return yaml.safe_load((REPOSITORY / "tests/studies/miniature/params.yaml").read_text())


def resolved(raw: dict[str, Any]) -> Plan:
    return plan.resolve(study.parse(raw))


def moved(before: Plan, after: Plan) -> dict[str, set[str]]:
    """Kind → addresses that only the second plan has."""
    found = {kind: set(after.cells[kind]) - set(before.cells[kind]) for kind in KINDS}
    return {kind: names for kind, names in found.items() if names}


def after_edit(raw: dict[str, Any], edit: Callable[[dict[str, Any]], object]) -> dict[str, set[str]]:
    edited = deepcopy(raw)
    edit(edited)
    return moved(resolved(raw), resolved(edited))


def test_the_same_study_has_the_same_addresses(raw: dict[str, Any]) -> None:
    assert not moved(resolved(raw), resolved(deepcopy(raw)))


def test_one_dose_more_adds_its_own_answers_and_scores_and_what_reads_them(raw: dict[str, Any]) -> None:
    added = after_edit(raw, lambda study: study["sweeps"]["trained"]["doses"].append(2))
    assert set(added) == {"answers", "scores"} | DOWNSTREAM_OF_SCORES
    assert len(added["answers"]) == len(added["scores"]) == 4  # two snapshots × two blocks
    assert all(".a2." in name for name in added["answers"] | added["scores"])


def test_an_integer_dose_is_the_same_dose_as_a_float(raw: dict[str, Any]) -> None:
    assert not after_edit(raw, lambda study: study["sweeps"]["trained"].update(doses=[0.0, 1.0]))


def test_more_samples_keep_the_blocks_there_are(raw: dict[str, Any]) -> None:
    added = after_edit(raw, lambda study: study["answers"].update(samples_per_question=3))
    assert all(".b2" in name for name in added["answers"])
    assert set(added) == {"answers", "scores"} | DOWNSTREAM_OF_SCORES


def test_one_snapshot_more_adds_no_other_vector(raw: dict[str, Any]) -> None:
    added = after_edit(raw, lambda study: study["sweeps"]["trained"].update(epochs=[1, 2, 3]))
    assert sorted(name.partition("--")[0] for name in added["vectors"]) == [
        "mini.gardening.trained.s0.l1.e3",
        "mini.gardening.trained.s0.l1.e3.random0",
    ]


def test_a_threshold_moves_tables_and_what_reads_them_but_no_score(raw: dict[str, Any]) -> None:
    added = after_edit(raw, lambda study: study["judges"]["rubric"]["thresholds"].update(misaligned_below=40))
    assert set(added) == DOWNSTREAM_OF_SCORES


def test_the_order_of_a_list_of_doses_moves_no_cell_that_costs(raw: dict[str, Any]) -> None:
    assert set(after_edit(raw, lambda study: study["sweeps"]["trained"]["doses"].reverse())) <= DOWNSTREAM_OF_SCORES


def leaves(value: object, path: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list) and value and isinstance(value[0], int | float):
        yield (*path, 0)
    elif not isinstance(value, list):
        yield path


def test_every_number_in_the_study_file_moves_an_address_unless_it_is_about_execution(raw: dict[str, Any]) -> None:
    before = resolved(raw)
    unmoved = []
    for path in leaves(raw):
        edited = deepcopy(raw)
        place: Any = edited
        for name in path[:-1]:
            place = place[name]
        value = place[path[-1]]
        if isinstance(value, str):
            continue
        place[path[-1]] = VALID_EDITS.get(path, value + 1 if isinstance(value, int) else value * 0.875)
        if path == ("answers", "samples_per_block"):
            edited["answers"]["samples_per_question"] = 4
        after = resolved(edited)
        if all(set(before.cells[kind]) == set(after.cells[kind]) for kind in KINDS):
            unmoved.append(path)
    assert set(unmoved) == EXECUTION_ONLY


def test_renaming_a_model_moves_no_digits_of_what_is_computed_from_it(raw: dict[str, Any]) -> None:
    renamed = yaml.safe_load(yaml.safe_dump(raw).replace("mini", "small"))
    for kind in ("models", "vectors", "answers", "scores"):
        assert {digits(name) for name in resolved(raw).cells[kind]} == {digits(name) for name in resolved(renamed).cells[kind]}


def test_packs_hold_every_cell_once_and_no_more_than_allowed(raw: dict[str, Any]) -> None:
    study_plan = resolved(raw)
    for kind in KINDS:
        packs = study_plan.packs(kind)
        assert sorted(cell.address for pack in packs for cell in pack.cells) == sorted(study_plan.cells[kind])
        assert all(len(pack.cells) <= raw["execution"]["cells_per_job"] for pack in packs)
        assert len({pack.id for pack in packs}) == len(packs)


def test_every_input_of_a_cell_is_planned_too(raw: dict[str, Any]) -> None:
    study_plan = resolved(raw)
    for cell in study_plan.all():
        assert all(other.address in study_plan.cells[other.kind] for other in cell.upstream())


def test_an_address_depends_on_every_part_and_not_on_the_order_of_keys() -> None:
    def of(kind: str = "answers", recipe: object = None, inputs: Any = None, code: str = "c") -> str:
        return address(kind, "slug", recipe or {"a": 1, "b": 2}, inputs or {"model": ["m--1"], "vector": ["v--2"]}, code)

    assert of() == of(recipe={"b": 2, "a": 1}) == of(inputs={"vector": ["v--2"], "model": ["other-name--1"]})
    variants = [of(), of("scores"), of(recipe={"a": 1, "b": 3}), of(inputs={"model": ["v--2"], "vector": ["m--1"]}), of(code="d")]
    assert len(set(variants)) == len(variants)
    assert all(name.startswith("slug--") and len(digits(name)) == 10 for name in variants)


def test_an_input_file_is_known_by_its_git_blob_or_by_the_md5_of_its_pointer(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("hello\n")
    assert raw_address("text") == "text--git-ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object
    (tmp_path / "text.dvc").write_text("outs:\n- md5: b1946ac92492d2347c6235b4d2611184\n  path: text\n")
    assert raw_address("text") == "text--md5-b1946ac92492d2347c6235b4d2611184"
    (tmp_path / "text").unlink()
    assert raw_address("text").endswith("b1946ac92492d2347c6235b4d2611184"), "a clone plans before it pulls"


def test_a_pointer_that_is_not_of_the_bytes_beside_it_is_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "text.dvc").write_text("outs:\n- md5: b1946ac92492d2347c6235b4d2611184\n  path: text\n")
    assert raw_address("text").endswith("b1946ac92492d2347c6235b4d2611184")
    (tmp_path / "text").write_text("edited\n")
    with pytest.raises(DataError, match="dvc add text"):
        raw_address("text")


def test_sweeps_that_overlap_make_one_row_of_what_they_share(raw: dict[str, Any]) -> None:
    raw["sweeps"]["more"] = {**raw["sweeps"]["trained"], "doses": [1, 3]}
    rates = next(cell.recipe for cell in resolved(raw).of("tables") if cell.address.startswith("rates"))
    assert len(set(rates.rows)) == len(rates.rows)


def test_no_pack_holds_a_cell_with_its_own_input_whatever_vectors_are_called(raw: dict[str, Any]) -> None:
    renamed = yaml.safe_load(yaml.safe_dump(raw).replace("trained:", "random:").replace("vector: trained", "vector: random"))
    renamed["controls"]["random"]["of"] = "random"
    for pack in resolved(renamed).packs("vectors"):
        inside = {cell.address for cell in pack.cells}
        assert not inside & {other.address for cell in pack.cells for other in cell.upstream()}
