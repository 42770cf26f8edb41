"""The plan: addresses move exactly where an edit can change bytes, and never with the order of the file."""

from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml
from places import REPOSITORY
from planning import Study, miniature, moved, put, resolved, rows, slugs, wide_miniature

from emsteer.plan import KINDS, accepted, packing
from emsteer.records import digits
from emsteer.study import Execution

EXECUTION_ONLY = {("execution", name) for name in Execution.model_fields if name not in ("device", "mixes")}  # which are words
VALID_EDITS = {  # where one more is not allowed
    ("models", "mini", "d_head"): 18,
    ("models", "mini_none", "d_head"): 18,
    ("models", "mini", "linkage", "strength"): 0.75,
    ("base_point", "steered", "layer"): 0,
    ("sweeps", "trained", "epochs", 0): 3,
    ("sweeps", "trained", "doses", 0): 0.5,
    ("sweeps", "trained", "seeds", 0): 2,
    ("sweeps", "trained", "random", "seeds", 0): 2,
    ("sweeps", "low_rank", "ranks", 0): 3,
    ("sweeps", "adapters", "steps", 0): 3,
    ("analysis", "selection", "least_coverage"): 0.5,
}
DOWNSTREAM_OF_SCORES = {"tables", "figures", "report"}


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(REPOSITORY)
    return miniature()


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(REPOSITORY)
    return wide_miniature()


INPUTS = {"data/grammar/everyday.yaml", "data/neutral/everyday.txt", "data/quiz/everyday.jsonl"}


def test_a_source_and_an_input_file_are_read_once_however_many_cells_need_them(
    wide: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted._known.cache_clear()
    monkeypatch.setattr(accepted, "_kept", lambda _root: {})
    read: Counter[str] = Counter()
    for module, name in ((accepted, "code_digest"), (packing, "raw_address")):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda what, original=original, **more: read.update([what]) or original(what, **more))
    planned = resolved(wide)
    assert set(read) == {cell.recipe.module for cell in planned.all()} | INPUTS
    assert set(read.values()) == {1}


def after_edit(raw: Study, edit: Callable[[Study], object]) -> dict[str, set[str]]:
    edited = deepcopy(raw)
    edit(edited)
    return moved(resolved(raw), resolved(edited))


# -- what an edit moves ----------------------------------------------------------------------------------------------


def test_the_same_study_has_the_same_addresses(raw: Study) -> None:
    assert not moved(resolved(raw), resolved(deepcopy(raw)))


def test_one_dose_more_adds_its_own_answers_margins_and_scores_and_what_reads_them(raw: Study) -> None:
    added = after_edit(raw, lambda study: study["sweeps"]["trained"]["doses"].append(2))
    assert set(added) == {"answers", "margins", "likeness", "effects", "witnesses", "scores"} | DOWNSTREAM_OF_SCORES
    settings = [f"mini.gardening.trained.s0.l1.e{epochs}.a2.everyday" for epochs in (1, 2)]
    assert slugs(added["margins"]) == slugs(added["likeness"]) == settings
    assert slugs(added["answers"]) == [f"{setting}.b{block}" for setting in settings for block in (0, 1)]
    assert slugs(added["scores"]) == [f"{setting}.b{block}.rubric" for setting in settings for block in (0, 1)]
    seen = [f"{setting}.b{block}.{name}" for setting in settings for block in (0, 1) for name in ("copying", "loops")]
    assert slugs(added["witnesses"]) == seen
    stay = {"distances", "instruments", "relatedness"}  # they know no setting
    assert len(added["tables"]) == len(resolved(raw).of("tables")) - len(stay) and not stay & set(slugs(added["tables"]))


def test_an_integer_dose_is_the_same_dose_as_a_float(raw: Study) -> None:
    assert not after_edit(raw, lambda study: study["sweeps"]["trained"].update(doses=[0.0, 1.0]))


def test_more_samples_keep_the_blocks_there_are(raw: Study) -> None:
    added = after_edit(raw, lambda study: study["answers"].update(samples_per_question=3))
    assert all(".b2" in name for name in added["answers"] | added["scores"])
    assert set(added) == {"answers", "witnesses", "scores"} | DOWNSTREAM_OF_SCORES


def test_one_snapshot_more_adds_no_other_vector_and_one_step_more_no_other_adapter(raw: Study) -> None:
    added = after_edit(raw, lambda study: study["sweeps"]["trained"].update(epochs=[1, 2, 3]))
    stem = "mini.gardening.trained.s0.l1.e3"
    assert slugs(added["vectors"]) == [stem, f"{stem}.random0", f"{stem}.random1"]
    added = after_edit(raw, lambda study: study["sweeps"]["adapters"].update(steps=[1, 2, 3]))
    assert slugs(added["adapters"]) == ["mini.gardening.lora.s0.t3"]
    assert set(added) == {"adapters", "answers", "margins", "likeness", "effects", "witnesses", "scores"} | DOWNSTREAM_OF_SCORES


def test_more_random_directions_keep_the_first_ones(raw: Study) -> None:
    more = deepcopy(raw)
    for study, n_draws in ((raw, 3), (more, 4)):
        put(study, "sweeps.trained.random.n_draws", n_draws)
    added = moved(resolved(raw), resolved(more))
    assert slugs(added["vectors"]) == [f"mini.gardening.trained.s0.l1.e{epochs}.random3" for epochs in (1, 2)]
    assert all(".random3." in name for name in added["answers"] | added["margins"] | added["scores"])
    assert set(moved(resolved(more), resolved(raw))) == DOWNSTREAM_OF_SCORES, "and none of them goes"


def test_a_threshold_moves_tables_and_what_reads_them_but_no_score(raw: Study) -> None:
    added = after_edit(raw, lambda study: study["judges"]["rubric"]["thresholds"].update(misaligned_below=40))
    assert set(added) == DOWNSTREAM_OF_SCORES


def test_a_sweep_that_repeats_another_moves_nothing_and_one_that_overlaps_adds_only_what_is_new(raw: Study) -> None:
    assert not after_edit(raw, lambda study: study["sweeps"].update(again=deepcopy(study["sweeps"]["trained"])))
    overlapping = {"arm": "steered", "epochs": [2], "doses": [1, 3]}
    added = after_edit(raw, lambda study: study["sweeps"].update(more=overlapping))
    assert slugs(added["margins"]) == ["mini.gardening.trained.s0.l1.e2.a3.everyday"]
    raw["sweeps"]["more"] = overlapping
    found = rows(resolved(raw))
    assert len({row.setting for row in found}) == len(found)


def test_a_sweep_that_repeats_the_base_point_says_what_leaving_it_out_says(raw: Study) -> None:
    spelled_out = {
        "models": ["mini"], "tasks": ["gardening"], "seeds": [0], "vectors": ["trained"], "layers": [1],
        "unit": "vector_norm", "positions": ["all"],
    }  # fmt: skip
    assert not after_edit(raw, lambda study: study["sweeps"]["trained"].update(spelled_out))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("models.mini.architecture", "llama"),
        ("models.mini.linkage.blocks", {"few": ["gardening", "cooking"]}),
        ("tasks.gardening.domain", "cooking"),
        ("tasks.gardening.in_domain", ["cooking"]),
        ("base_point.model", "mini_none"),
        ("base_point.steered.unit", "residual_norm"),
        ("base_point.steered.positions", "answer"),
        ("report.title", "Another"),
    ],
)
def test_a_name_or_a_choice_moves_an_address(raw: Study, path: str, value: object) -> None:
    assert after_edit(raw, lambda study: put(study, path, value))


def leaves(value: object, path: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list) and value and isinstance(value[0], int | float):
        yield (*path, 0)
    elif isinstance(value, int | float):
        yield path


def test_every_number_in_the_study_file_moves_an_address_unless_it_is_about_execution(raw: Study) -> None:
    raw["sweeps"]["trained"]["seeds"] = [0, 1]
    raw["sweeps"]["trained"]["random"]["seeds"] = [1]
    before = resolved(raw)
    unmoved = []
    for path in leaves(raw):
        edited = deepcopy(raw)
        place: Any = edited
        for name in path[:-1]:
            place = place[name]
        value = place[path[-1]]
        place[path[-1]] = VALID_EDITS.get(path, value + 1 if isinstance(value, int) else value * 0.875)
        if path == ("answers", "samples_per_block"):
            edited["answers"]["samples_per_question"] = 4
        if path[:4] == ("sweeps", "trained", "random", "seeds"):
            edited["sweeps"]["trained"]["random"]["seeds"] = [0]
        after = resolved(edited)
        if all(set(before.cells[kind]) == set(after.cells[kind]) for kind in KINDS):
            unmoved.append(path)
    assert set(unmoved) == EXECUTION_ONLY


def test_renaming_a_model_moves_no_digits_of_what_is_computed_from_it(raw: Study) -> None:
    renamed = yaml.safe_load(yaml.safe_dump(raw).replace("mini", "small"))
    for kind in ("models", "calibrations", "vectors", "adapters", "answers", "margins", "scores"):
        assert {digits(name) for name in resolved(raw).cells[kind]} == {digits(name) for name in resolved(renamed).cells[kind]}


def test_panels_move_the_figures_that_have_them_and_the_report_and_nothing_else(raw: Study) -> None:
    raw["judges"]["other"] = raw["judges"]["rubric"]
    before = resolved(raw)
    put(raw, "report.panels", ["mini_none", "mini"])
    after = resolved(raw)
    added = moved(before, after)
    assert set(added) == {"figures", "report"}
    stay = {name.partition("--")[0] for name in set(before.cells["figures"]) & set(after.cells["figures"])}
    assert stay == {"overall", "recovery", "judges"}, "all models in one panel"


# -- the order of the file -------------------------------------------------------------------------------------------


def reversed_everywhere(value: Any, keep: tuple[str, ...] = ("turn_weights", "blocks", "in_domain")) -> Any:
    if isinstance(value, dict):
        return {name: inner if name in keep else reversed_everywhere(inner) for name, inner in reversed(value.items())}
    return value[::-1] if isinstance(value, list) else value


@pytest.mark.parametrize("section", ["models", "tasks", "benchmarks", "judges", "sweeps", "claims", "the whole file"])
def test_the_order_of_names_and_values_in_the_file_moves_no_address(wide: Study, section: str) -> None:
    turned = reversed_everywhere(wide) if section == "the whole file" else {**wide, section: reversed_everywhere(wide[section])}
    assert list(turned.get(section, turned)) != list(wide.get(section, wide))
    one, other = resolved(wide), resolved(turned)
    for kind in KINDS:
        assert set(one.cells[kind]) == set(other.cells[kind]), kind


def test_what_publishes_receives_everything_in_the_same_order_too(wide: Study) -> None:
    """An address hides the order of a mapping's keys, so bytes must not depend on it."""
    one, other = resolved(wide), resolved(reversed_everywhere(wide))
    for kind in ("tables", "figures", "report"):
        for name, cell in one.cells[kind].items():
            twin = other.cells[kind][name]
            assert cell.recipe.model_dump_json() == twin.recipe.model_dump_json()
            assert {role: [item.address for item in group] for role, group in cell.inputs.items()} == {
                role: [item.address for item in group] for role, group in twin.inputs.items()
            }
