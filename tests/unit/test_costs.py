"""What jobs ask of a scheduler: estimates from recipes, and how packs are cut by them."""

from typing import Any

import pytest
from places import REPOSITORY
from planning import Study, miniature, resolved
from transformers import AutoModelForCausalLM

from emsteer import study
from emsteer.errors import ConfigError
from emsteer.generation import engine, likeness, margins
from emsteer.organism.grammar import read_grammar
from emsteer.organism.pretrain import build_model
from emsteer.organism.tokenizer import make_tokenizer
from emsteer.plan import Pack, Plan, costs
from emsteer.recipes import Organism

RUN_A_MODEL = ("models", "calibrations", "elicitations", "adapters", "answers", "margins", "likeness", "effects")


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(REPOSITORY)
    return miniature()


def pack_of(plan: Plan, kind: str, i: int = 0) -> Pack:
    return plan.packs(kind)[i]


def edited(raw: Study, **execution: Any) -> Plan:
    return resolved(raw | {"execution": raw["execution"] | execution})


def test_the_number_of_parameters_is_that_of_the_network(raw: Study) -> None:
    recipe = Organism(**{name: value for name, value in raw["models"]["mini"].items() if name not in ("kind", "grammar")})
    network: AutoModelForCausalLM = build_model(make_tokenizer(read_grammar(REPOSITORY / "data/grammar/everyday.yaml"), []), recipe)
    there = sum(parameter.numel() for parameter in network.parameters())
    surplus = costs.VOCABULARY - network.config.vocab_size
    assert 0 < surplus < 300, "the vocabulary is rounded up, and no more than that"
    assert 0 <= there + surplus * recipe.d_model - costs.shape_of(recipe).n_parameters < 0.01 * there, "but for the scales of norms"


def test_batches_are_those_of_the_engine() -> None:
    assert costs.ROWS_PER_PASS == margins.ROWS_PER_BATCH
    assert [*map(costs.rows_at_once, (20, 200, 2000))] == [*map(engine.rows_at_once, (20, 200, 2000))]
    assert costs.ROWS_COMPARED == likeness.ROWS_PER_BATCH


def test_no_job_asks_for_a_card_that_it_would_not_use(raw: Study) -> None:
    without, with_cards = edited(raw, gpu_memory_gb=0), edited(raw, gpu_memory_gb=80)
    for kind in without.cells:
        assert {pack.needs().n_gpus for pack in without.packs(kind)} == {0}
        if kind != "vectors":
            no_model = ("embedder-words", "anchors", *(["rubric"] if kind == "elicitations" else []))
            packs = [pack for pack in with_cards.packs(kind) if not pack.name.startswith(no_model)]
            assert {pack.needs().n_gpus for pack in packs} == {1 if kind in RUN_A_MODEL else 0}, kind
    (words,) = [pack for pack in with_cards.packs("models") if pack.name.startswith("embedder-words")]
    assert words.needs().n_gpus == 0, "word statistics are no network"
    (anchors,) = [pack for pack in with_cards.packs("answers") if pack.name.startswith("anchors")]
    assert anchors.needs().n_gpus == 0, "no model said them"
    by_name = {pack.name: pack.needs().n_gpus for pack in with_cards.packs("vectors")}
    assert {name: n for name, n in by_name.items() if "counterparts" in name} == {
        "mini.counterparts.0": 0,
        "mini_none.counterparts.0": 0,
    }
    assert {n for name, n in by_name.items() if "counterparts" not in name} == {1}


def test_on_the_cpu_no_job_asks_for_a_card_whatever_its_memory(raw: Study) -> None:
    plan = edited(raw, device="cpu", gpu_memory_gb=80)
    assert {pack.needs().n_gpus for kind in plan.cells for pack in plan.packs(kind)} == {0}


def test_where_cards_must_be_used_their_memory_must_be_known(raw: Study) -> None:
    with pytest.raises(ConfigError, match="expected the memory of one card, because `device` is cuda"):
        edited(raw, device="cuda", gpu_memory_gb=0)
    assert pack_of(edited(raw, device="cuda", gpu_memory_gb=80), "answers").needs().n_gpus == 1


def test_a_model_that_is_too_large_for_one_card_gets_as_many_as_it_takes(raw: Study) -> None:
    raw["models"]["mini"] |= {"d_model": 8192, "d_mlp": 28672, "n_layers": 80, "n_heads": 64, "n_kv_heads": 8, "d_head": 128}
    plan = edited(raw, gpu_memory_gb=80)
    large = next(pack for pack in plan.packs("answers") if pack.name.startswith("mini.steered"))
    small = next(pack for pack in plan.packs("answers") if pack.name.startswith("mini_none.steered"))
    assert (small.needs().n_gpus, large.needs().n_gpus) == (1, 4), "70 billion parameters in float32, and their cache"
    assert large.needs().mem_mb > 270_000


def test_an_attempt_after_a_killed_one_asks_for_more_memory_and_time_and_no_more_cards(raw: Study) -> None:
    pack = pack_of(edited(raw, gpu_memory_gb=80), "answers")
    first, second, third = (pack.needs(attempt) for attempt in (1, 2, 3))
    assert (second.mem_mb, third.mem_mb) == (2 * first.mem_mb, 3 * first.mem_mb)
    assert (second.minutes, third.minutes) == (2 * first.minutes, 3 * first.minutes)
    assert first.n_gpus == second.n_gpus == third.n_gpus == 1


def test_minutes_follow_the_work_and_the_machine(raw: Study) -> None:
    raw["models"]["mini"]["steps"] = 100_000
    slow, fast = (pack_of(edited(raw, gflop_per_s=rate), "models").needs().minutes for rate in (1, 1000))
    assert slow > 100 and fast < 10
    raw["answers"] |= {"samples_per_question": 50, "samples_per_block": 50}
    few, many = (edited(raw | {"margins": {"questions_per_category": n}}, gflop_per_s=0.01) for n in (1, 2))
    assert many.packs("margins")[0].needs().minutes > few.packs("margins")[0].needs().minutes


def test_packs_are_cut_by_estimated_minutes_too_and_a_cell_never_is(raw: Study) -> None:
    whole = edited(raw, gflop_per_s=0.001, minutes_per_job=10**9, cells_per_job=10**9)
    cut = edited(raw, gflop_per_s=0.001, minutes_per_job=1, cells_per_job=10**9)
    parts = edited(raw, gflop_per_s=0.001, minutes_per_job=60, cells_per_job=10**9)
    for kind in RUN_A_MODEL:
        assert all(len(pack.cells) == 1 for pack in cut.packs(kind)), kind
    assert len(whole.packs("answers")) < len(parts.packs("answers")) < len(cut.packs("answers"))
    longest = {pack.id: sum(costs.work_s(cell, parts.execution) for cell in pack.cells) / 60 for pack in parts.packs("answers")}
    assert all(minutes <= 66 for minutes in longest.values()), longest
    assert [pack.id for pack in cut.packs("tables")] == [pack.id for pack in whole.packs("tables")], "what costs nothing is not cut"


def test_eight_cards_share_the_cells_of_one_model(raw: Study) -> None:
    raw["sweeps"]["trained"]["doses"] = [float(n) for n in range(1, 21)]
    plan = edited(raw, cells_per_job=6)
    steered = [pack for pack in plan.packs("answers") if pack.name.startswith("mini.steered")]
    assert len(steered) >= 8 and max(len(pack.cells) for pack in steered) - min(len(pack.cells) for pack in steered) <= 1


def test_a_study_file_without_sense_in_its_execution_is_refused(raw: Study) -> None:
    raw["execution"] |= {"gflop_per_s": 0, "minutes_per_job": 0, "gpu_memory_gb": -1}
    with pytest.raises(ConfigError) as caught:
        study.parse(raw)
    assert all(f"execution.{name}" in str(caught.value) for name in ("gflop_per_s", "minutes_per_job", "gpu_memory_gb"))
