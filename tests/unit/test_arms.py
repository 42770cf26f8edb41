"""Settings and their cells: what an arm is made of, and which cells one process makes."""

from copy import deepcopy

import pytest
from places import REPOSITORY
from planning import Study, arm_of, miniature, models_of, resolved, rows, wide_miniature

from emsteer.analysis.settings import setting_columns, setting_name
from emsteer.plan import KINDS, Pack, Plan


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(REPOSITORY)
    return miniature() | {"effects": None}  # which know no arm of their own, and bring a vector


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(REPOSITORY)
    return wide_miniature()


def test_finetuned_settings_have_an_adapter_and_never_a_vector_and_steered_ones_the_reverse(wide: Study) -> None:
    study_plan = resolved(wide)
    has = {"base": [], "steered": ["steering"], "random": ["steering"], "finetuned": ["adapter"]}
    roles = {"steering": "vector", "adapter": "adapter"}
    found = rows(study_plan)
    assert {row.setting.arm for row in found} == set(has)
    for row in found:
        kinds = [values.kind for values in row.setting.treatments]
        assert kinds == has[row.setting.arm]
        assert [kind for name in row.made for kind in study_plan.cells if name in study_plan.cells[kind]] == [
            f"{roles[kind]}s" for kind in kinds
        ]
        columns = setting_columns(row.setting)
        assert (columns["draw"] is not None) == (row.setting.arm == "random")
        (scored,) = {study_plan.cells["scores"][name].inputs["answers"][0].address for name in row.scores[:1]}
        for cell in (study_plan.cells["answers"][scored], study_plan.cells["margins"][row.margins]):
            read = [made.address for kind in kinds for made in cell.inputs[roles[kind]]]
            assert read == list(row.made) and [treatment.kind for treatment in cell.recipe.treatments] == kinds
            assert ("calibration" in cell.inputs) == (columns["dose_unit"] == "residual_norm")


def test_what_is_trained_on_safe_answers_is_a_control_and_random_directions_beside_it_stay_random(raw: Study) -> None:
    for section, name, control in (("vectors", "trained", "careful"), ("adapters", "lora", "careful_lora")):
        raw[section][control] = raw[section][name] | {"side": "safe"}
    random = {"seeds": [0], "n_draws": 1, "doses": [1]}
    raw["sweeps"] = {
        "vectors": {"arm": "steered", "vectors": ["trained", "careful"], "random": random},
        "adapters": {"arm": "finetuned", "adapters": ["lora", "careful_lora"]},
    }
    arms = [
        (row.setting.arm, *(getattr(values, "vector", None) or values.adapter for values in row.setting.treatments))
        for row in rows(resolved(raw))
    ]
    expected = [("base",), ("steered", "trained"), ("control", "careful"), ("random", "trained"), ("random", "careful")]
    assert set(arms) == {*expected, ("finetuned", "lora"), ("control", "careful_lora")}


def test_an_arm_is_called_in_the_plan_what_tables_call_its_setting(wide: Study) -> None:
    """Samples of a judge name settings; the plan knows arms by these names."""
    wide["sweeps"]["low_rank"]["positions"] = ["answer"]
    study_plan = resolved(wide)
    for row in rows(study_plan):
        answers = study_plan.cells["scores"][row.scores[0]].inputs["answers"][0].address
        called = row.setting.model_copy(update={"task": "gardening"}) if row.setting.arm == "base" else row.setting
        assert answers.startswith(f"{setting_name(called)}.{row.benchmark}.b0--"), answers


def test_base_answers_are_shared_by_all_target_tasks(wide: Study) -> None:
    base = [row for row in rows(resolved(wide)) if row.setting.arm == "base"]
    by_place: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for row in base:
        by_place.setdefault((row.setting.model, row.benchmark, row.judge), set()).add((*row.scores, row.margins))
    assert {row.setting.task for row in base} == {"gardening", "cooking"}
    assert all(len(read) == 1 for read in by_place.values())


def test_a_mean_difference_is_one_file_for_all_layers_and_a_trained_vector_is_not(raw: Study) -> None:
    for vectors, n_files in ((["mean_difference"], 1), (["trained"], 2)):
        raw["sweeps"] = {"one": {"arm": "steered", "vectors": vectors, "layers": [0, 1]}}
        assert len(resolved(raw).of("vectors")) == n_files
        assert len(resolved(raw).of("margins")) == 2 + 2, "two models, two layers"


def test_a_low_rank_vector_brings_the_trained_one_that_it_projects(raw: Study) -> None:
    raw["sweeps"] = {"low_rank": raw["sweeps"]["low_rank"]}
    *projected, whole = sorted(resolved(raw).of("vectors"), key=lambda cell: cell.address)
    assert whole.address.startswith("mini.gardening.trained.s0.l1.e2--")
    assert [cell.inputs["like"] for cell in projected] == [(whole,), (whole,)]
    assert all(cell.recipe.n_held_back == 16 for cell in projected), "as many as trained it"


def test_a_low_rank_vector_of_a_mean_difference_has_its_axes(raw: Study) -> None:
    raw["vectors"]["low_rank"]["of"] = "mean_difference"
    raw["sweeps"] = {"low_rank": {**raw["sweeps"]["low_rank"], "epochs": None}}
    *projected, whole = sorted(resolved(raw).of("vectors"), key=lambda cell: cell.address.split(".")[2])
    assert {cell.address.partition("--")[0].rpartition(".")[0] for cell in projected} == {"mini.gardening.low_rank.s0.l1"}
    assert [cell.inputs["like"] for cell in projected] == [(whole,), (whole,)]
    assert all(cell.recipe.n_held_back == 16 for cell in projected), "as many as it is a mean of"


def test_random_directions_control_for_the_seeds_that_are_asked_for_and_no_others(raw: Study) -> None:
    raw["sweeps"]["trained"]["seeds"] = [0, 1, 2]
    raw["sweeps"]["trained"]["random"]["seeds"] = [0, 2]
    assert {row.setting.treatments[0].seed for row in rows(resolved(raw)) if row.setting.arm == "random"} == {0, 2}


# -- packs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 1000])
def test_packs_hold_every_cell_once_in_even_parts_no_larger_than_allowed(raw: Study, n: int) -> None:
    raw["execution"]["cells_per_job"] = n
    study_plan = resolved(raw)
    for kind in KINDS:
        packs = study_plan.packs(kind)
        assert sorted(cell.address for pack in packs for cell in pack.cells) == sorted(study_plan.cells[kind])
        assert len({pack.id for pack in packs}) == len(packs)
        sizes: dict[str, list[int]] = {}
        for pack in packs:
            sizes.setdefault(pack.name.rpartition(".")[0], []).append(len(pack.cells))
        for parts in sizes.values():
            assert max(parts) <= n and max(parts) - min(parts) <= 1
            assert len(parts) == -(-sum(parts) // n), "and no more parts than needed"


def about_models(plan: Plan, kind: str) -> list[Pack]:
    """Without anchors, which no model said."""
    return [pack for pack in plan.packs(kind) if "anchors" not in pack.name]


def test_a_pack_of_models_to_scores_is_of_one_model_and_answers_under_adapters_are_apart(wide: Study) -> None:
    study_plan = resolved(wide)
    for kind in ("vectors", "adapters", "answers", "scores"):
        for pack in about_models(study_plan, kind):
            assert len({model for cell in pack.cells for model in models_of(cell)}) == 1, pack.id
    arms = [{arm_of(cell) for cell in pack.cells} for pack in about_models(study_plan, "answers")]
    assert all(of == {"finetuned"} or "finetuned" not in of for of in arms), "a failed adapter holds up no other arm"
    assert {"base", "steered", "random", "finetuned"} == {arm for of in arms for arm in of}


def test_no_pack_holds_a_cell_with_its_own_input_whatever_vectors_are_called(raw: Study) -> None:
    raw["sweeps"]["low_rank"]["random"] = {"seeds": [0], "n_draws": 1, "doses": [1]}
    names = {"trained": "random", "low_rank": "trained", "mean_difference": "low_rank", "persona_prompts": "projected"}
    renamed = deepcopy(raw)
    renamed["vectors"] = {names[name]: values for name, values in renamed["vectors"].items()}
    renamed["vectors"]["trained"]["of"] = "random"
    renamed["base_point"]["steered"]["vector"] = "random"
    for sweep in ("low_rank", "mean_difference", "persona_prompts"):
        renamed["sweeps"][sweep]["vectors"] = [names[sweep]]
    for study_plan in (resolved(raw), resolved(renamed)):
        for pack in (pack for kind in KINDS for pack in study_plan.packs(kind)):
            inside = {cell.address for cell in pack.cells}
            assert not inside & {other.address for cell in pack.cells for other in cell.upstream()}, pack.id


def test_every_input_of_a_cell_is_planned_too(raw: Study) -> None:
    study_plan = resolved(raw)
    for cell in study_plan.all():
        assert all(other.address in study_plan.cells[other.kind] for other in cell.upstream())
