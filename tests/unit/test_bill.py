"""What a study costs before it starts, by hand."""

from pathlib import Path
from typing import Any

import pytest
from places import REPOSITORY
from planning import Study, miniature, put, resolved

from emsteer import study
from emsteer.plan import Cell, costs
from emsteer.plan.bill import ASSUMED, DEVICES, Item, Speed, bill_of, item_of
from emsteer.plan.billing import device_of, screen
from emsteer.recipes import Lora, Trained

SPEED = Speed(flops=1e9, bandwidth=1e8, block_s=1e-3)
BOTH = ASSUMED["tokens_of_a_grammars_prompt"] + ASSUMED["tokens_of_a_grammars_reference"]
N_QUESTIONS = 8 * 3  # domains, each with a dev and two test questions


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(REPOSITORY)
    return miniature()


def cell(raw: Study, kind: str, begins: str) -> Cell:
    return next(cell for cell in resolved(raw).of(kind) if cell.address.startswith(begins))


def n_parameters(raw: Study) -> int:
    shape = costs.model_shape(cell(raw, "models", "mini--"))
    assert shape
    return shape.n_parameters


def test_a_pass_is_bound_by_operations(raw: Study) -> None:
    adapter = item_of(cell(raw, "adapters", "mini.gardening.lora.s0.t2"), SPEED, 0)
    assert adapter.read == 2 * 8 * BOTH and adapter.said == 0
    assert adapter.card_s == pytest.approx(costs.TRAINING * adapter.read * n_parameters(raw) / 1e9)
    margins = item_of(cell(raw, "margins", "mini.base"), SPEED, 0)
    assert margins.read == 2 * 8 * BOTH, "both answers to one question of each domain"


def test_an_answer_is_bound_by_reading_the_weights_and_by_the_blocks_that_they_are_of(raw: Study) -> None:
    answers = item_of(cell(raw, "answers", "mini.base.everyday.b0"), SPEED, 0)
    said = N_QUESTIONS * 8 * ASSUMED["share_of_longest"]
    assert (answers.read, answers.said) == (N_QUESTIONS * ASSUMED["tokens_of_a_grammars_prompt"], pytest.approx(said))
    steps = said / ASSUMED["rows_at_once"]
    prefill = costs.FORWARD * answers.read * n_parameters(raw) / 1e9
    assert answers.card_s == pytest.approx(prefill + 2 * said * n_parameters(raw) / 1e9), "few rows of a small model: operations"
    slow = Speed(flops=1e15, bandwidth=1e6, block_s=1e-3)
    of_a_step = 4 * n_parameters(raw) / 1e6 + 2 * 1e-3
    assert item_of(cell(raw, "answers", "mini.base.everyday.b0"), slow, 0).card_s == pytest.approx(steps * of_a_step, rel=1e-3)


def test_what_a_model_said_itself_is_read_where_a_vector_is_made_of_it(raw: Study) -> None:
    made = item_of(cell(raw, "vectors", "mini.gardening.persona_prompts"), SPEED, 0)
    assert made.read == 2 * 16 * BOTH, "16 prompts under both lines"


def test_snapshots_of_one_training_are_paid_for_once(raw: Study) -> None:
    plan = resolved(raw)
    of = [cell for kind in ("vectors", "adapters") for cell in plan.of(kind) if isinstance(cell.recipe, Trained | Lora)]
    assert len(of) == 4, "two snapshots of each"
    bill = bill_of(plan, SPEED, 0)
    longest = item_of(cell(raw, "adapters", "mini.gardening.lora.s0.t2"), SPEED, 0)
    assert bill.by_stage["adapters"] == longest


def test_a_model_that_takes_several_cards_is_billed_for_each(raw: Study) -> None:
    of = cell(raw, "answers", "mini.base.everyday.b0")
    alone = item_of(of, SPEED, 0)
    assert item_of(of, SPEED, costs.memory_bytes(of) / 2.5).card_s == pytest.approx(3 * alone.card_s)
    assert bill_of(resolved(raw), SPEED, costs.memory_bytes(of) / 2.5).cards["mini"] >= 3


def test_a_judge_is_asked_three_times_an_answer_or_first_for_coherence(raw: Study) -> None:
    service = {
        "base_url": "https://api.openai.com/v1", "key_from": None, "concurrency": 1, "requests_per_minute": 60, "timeout_s": 1,
        "attempts": 1, "budget_tokens": None, "budget_usd": None, "replies": "replies", "max_error_pct": 0,
    }  # fmt: skip
    rubrics = {name: f"data/rubrics/{name}.txt" for name in ("alignment", "coherence", "relevance")}
    judge: dict[str, Any] = {
        "kind": "openai", "model": "gpt-4o-2024-08-06", "temperature": 0, "max_tokens": 8, "top_logprobs": 20, "repeat": 0,
        "least_mass": 0.25, "coherence_first": None, "rubrics": rubrics, "topics": None,
        "thresholds": raw["judges"]["rubric"]["thresholds"], "service": service,
    }  # fmt: skip
    raw["judges"]["asked"] = judge
    first = item_of(cell(raw, "scores", "mini.base.everyday.b0.asked"), SPEED, 0)
    assert first.requests == 3 * N_QUESTIONS and first.judged > 400 * first.requests
    bill = bill_of(resolved(raw), SPEED, 0)
    asked, usd = bill.by_judge["gpt-4o-2024-08-06"]
    assert usd is not None and usd > 0 and asked.requests == bill.total.requests
    raw["judges"]["other"] = {**judge, "model": "gpt-4o-mini-2024-07-18"}
    both = bill_of(resolved(raw), SPEED, 0)
    assert both.by_judge["gpt-4o-2024-08-06"] == (asked, usd) and both.total.requests == 2 * asked.requests
    assert screen(study.parse(raw), resolved(raw), None, None).count(f"{asked.requests:,.0f} requests") == 2, "each its own"
    del raw["judges"]["other"]
    put(raw, "judges.asked.coherence_first", 30)
    fewer = item_of(cell(raw, "scores", "mini.base.everyday.b0.asked"), SPEED, 0)
    assert fewer.requests == pytest.approx((1 + 2 * ASSUMED["share_coherent"]) * N_QUESTIONS)
    local = {name: judge[name] for name in ("least_mass", "coherence_first", "rubrics", "topics", "thresholds")}
    raw["judges"]["own"] = {"kind": "local", "model": "mini_none", **local}
    on_this_machine = item_of(cell(raw, "scores", "mini.base.everyday.b0.own"), SPEED, 0)
    assert on_this_machine.read == pytest.approx(fewer.judged) and on_this_machine.card_s > 0 and not on_this_machine.requests
    put(raw, "judges.asked.model", "nobody-knows-this")
    found = bill_of(resolved(raw), SPEED, 0).by_judge
    assert {name: price for name, (_, price) in found.items()} == {"nobody-knows-this": None}


def test_the_screen_adds_up_and_says_what_it_assumes(raw: Study) -> None:
    said, plan = study.parse(raw), resolved(raw)
    shown = screen(said, plan, None, None)
    assert f"{'all':<14}{len(plan.all()):>8,}" in shown and "GFLOP/s (execution.gflop_per_s" in shown
    assert all(name.replace("_", " ") in shown for name in ASSUMED)
    total = bill_of(plan, device_of(said, None).speed, 0).total
    assert sum(bill_of(plan, device_of(said, None).speed, 0).by_stage.values(), Item()) == total
    for card in DEVICES:
        assert card in screen(said, plan, card, None)


def test_a_budget_names_the_dearest_sweeps_until_it_is_kept(raw: Study) -> None:
    said, plan = study.parse(raw), resolved(raw)
    hours = bill_of(plan, device_of(said, None).speed, 0).total.card_s / 3600
    assert "within a budget" in screen(said, plan, None, 2 * hours)
    shown = screen(said, plan, None, 0.9 * hours).splitlines()
    alone = [line.split() for line in shown[shown.index(next(line for line in shown if "over a budget" in line)) + 1 : -1]]
    assert {name for _, name in alone} == {*raw["sweeps"]} and shown[-1].startswith(f"without {alone[0][1]}")
    assert "without any sweep" in screen(said, plan, None, 0.0)


def test_the_papers_study_is_billed_without_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    said = study.read(Path("params/paper.yaml"))
    from emsteer.plan import resolve

    shown = screen(said, resolve(said), "H100", None)
    assert "186.1 GB of models to fetch" in shown and "USD at list price" in shown and "qwen35-27b" in shown
