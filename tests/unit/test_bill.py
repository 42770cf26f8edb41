"""What a study costs before it starts, by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from places import REPOSITORY
from planning import Study, miniature, put, resolved

from emsteer import study
from emsteer.errors import ConfigError, DataError
from emsteer.plan import Cell, costs
from emsteer.plan.bill import ASSUMED, Item, bill_of, item_of
from emsteer.plan.billing import Taken, screen
from emsteer.plan.pace import SHEETS, Pace, Speed, Timed, TimedModel, device_of
from emsteer.recipes import EqualKl, Lora, Trained

CORE = Speed("a core", card_bytes=0, flops=1e9, bandwidth=1e8, block_s=1e-3)
CARD = replace(CORE, name="a card", card_bytes=1e9)
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
    adapter = item_of(cell(raw, "adapters", "mini.gardening.lora.s0.t2"), CORE)
    assert adapter.read == 2 * 8 * BOTH and adapter.said == 0
    assert adapter.core_s == pytest.approx(costs.THROUGH * adapter.read * n_parameters(raw) / 1e9)
    pretrained = item_of(cell(raw, "models", "mini--"), CORE)
    assert pretrained.core_s == pytest.approx(costs.TRAINING * pretrained.read * n_parameters(raw) / 1e9)
    margins = item_of(cell(raw, "margins", "mini.base"), CORE)
    assert margins.read == 2 * 8 * BOTH, "both answers to one question of each domain"


def test_an_answer_is_bound_by_reading_the_weights_and_by_the_blocks_that_they_are_of(raw: Study) -> None:
    answers = item_of(cell(raw, "answers", "mini.base.everyday.b0"), CORE)
    said = N_QUESTIONS * 8 * ASSUMED["share_of_longest"]
    assert (answers.read, answers.said) == (N_QUESTIONS * ASSUMED["tokens_of_a_grammars_prompt"], pytest.approx(said))
    steps = said / costs.rows_at_once(2 * costs.TOKENS_PER_TEXT)
    prefill = costs.FORWARD * answers.read * n_parameters(raw) / 1e9
    assert answers.core_s == pytest.approx(prefill + 2 * said * n_parameters(raw) / 1e9), "few rows of a small model: operations"
    slow = replace(CORE, flops=1e15, bandwidth=1e6)
    of_a_step = 4 * n_parameters(raw) / 1e6 + 2 * 1e-3
    assert item_of(cell(raw, "answers", "mini.base.everyday.b0"), slow).core_s == pytest.approx(steps * of_a_step, rel=1e-3)


def test_what_a_model_said_itself_is_read_where_a_vector_is_made_of_it(raw: Study) -> None:
    made = item_of(cell(raw, "vectors", "mini.gardening.persona_prompts"), CORE)
    assert made.read == 2 * 16 * BOTH, "16 prompts under both lines"


def test_snapshots_of_one_training_are_paid_for_once(raw: Study) -> None:
    plan = resolved(raw)
    of = [cell for kind in ("vectors", "adapters") for cell in plan.of(kind) if isinstance(cell.recipe, Trained | Lora)]
    assert len(of) == 4, "two snapshots of each"
    bill = bill_of(plan, CORE)
    longest = item_of(cell(raw, "adapters", "mini.gardening.lora.s0.t2"), CORE)
    assert bill.by_stage["adapters"] == longest + Item(core_s=of_starting(cell(raw, "adapters", "mini.gardening.lora.s0.t2")))


def test_a_model_that_takes_several_cards_is_billed_for_each(raw: Study) -> None:
    of = cell(raw, "answers", "mini.base.everyday.b0")
    alone = item_of(of, CORE)
    small = replace(CARD, card_bytes=costs.memory_bytes(of) / 2.5)
    assert item_of(of, small).card_s == pytest.approx(3 * alone.core_s) and not item_of(of, small).core_s
    assert bill_of(resolved(raw), small).cards["mini"] >= 3


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
    first = item_of(cell(raw, "scores", "mini.base.everyday.b0.asked"), CORE)
    assert first.requests == 3 * N_QUESTIONS and first.judged > 400 * first.requests
    bill = bill_of(resolved(raw), CORE)
    asked, usd = bill.by_judge["gpt-4o-2024-08-06"]
    assert usd is not None and usd > 0 and asked.requests == bill.total.requests
    raw["judges"]["other"] = {**judge, "model": "gpt-4o-mini-2024-07-18"}
    both = bill_of(resolved(raw), CORE)
    assert both.by_judge["gpt-4o-2024-08-06"] == (asked, usd) and both.total.requests == 2 * asked.requests
    assert screen(study.parse(raw), resolved(raw), None, None, {}).count(f"{asked.requests:,.0f} requests") == 2, "each its own"
    del raw["judges"]["other"]
    put(raw, "judges.asked.coherence_first", 30)
    fewer = item_of(cell(raw, "scores", "mini.base.everyday.b0.asked"), CORE)
    assert fewer.requests == pytest.approx((1 + 2 * ASSUMED["share_coherent"]) * N_QUESTIONS)
    local = {name: judge[name] for name in ("least_mass", "coherence_first", "rubrics", "topics", "thresholds")}
    raw["judges"]["own"] = {"kind": "local", "model": "mini_none", **local}
    on_this_machine = item_of(cell(raw, "scores", "mini.base.everyday.b0.own"), CORE)
    assert on_this_machine.read == pytest.approx(fewer.judged) and on_this_machine.core_s > 0 and not on_this_machine.requests
    put(raw, "judges.asked.model", "nobody-knows-this")
    found = bill_of(resolved(raw), CORE).by_judge
    assert {name: price for name, (_, price) in found.items()} == {"nobody-knows-this": None}


def of_starting(of: Cell) -> float:
    """A job's own seconds, by the assumptions."""
    shape = costs.model_shape(of)
    assert shape
    return ASSUMED["s_to_start_a_job_with_a_model"] + 4 * shape.n_parameters / (ASSUMED["gb_a_second_of_weights_loaded"] * 1e9)


def test_every_job_starts_once_and_loads_its_model(raw: Study) -> None:
    plan = resolved(raw)
    cells = sum((item_of(one, CARD) for one in plan.of("margins")), Item())
    starting = sum(of_starting(pack.cells[0]) for pack in plan.packs("margins"))
    assert bill_of(plan, CARD).by_stage["margins"].card_s == pytest.approx(cells.card_s + starting)
    assert bill_of(plan, CARD).by_stage["tasks"] == Item(core_s=ASSUMED["s_to_start_a_job"] * len(plan.packs("tasks")))


def test_what_runs_no_model_is_counted_in_answers(raw: Study) -> None:
    n = 3 * 8  # domains, questions
    assert item_of(cell(raw, "scores", "mini.base.everyday.b0.rubric"), CARD) == Item(
        core_s=n / ASSUMED["answers_a_second_by_rubric"]
    )
    plan = resolved(raw)
    (judged,) = [one for one in plan.of("tables") if one.address.startswith("judged--")]
    assert item_of(judged, CARD).core_s == pytest.approx(n * len(judged.inputs["scores"]) * ASSUMED["ms_of_tables_an_answer"] / 1e3)


def test_a_dose_in_kl_is_looked_for_in_the_neutral_text(raw: Study) -> None:
    for of in (one for one in resolved(raw).of("vectors") if isinstance(one.recipe, EqualKl)):
        assert item_of(of, CORE).read == ASSUMED["texts_to_find_a_dose_in_kl"] * BOTH


def test_the_screen_adds_up_and_says_what_it_assumes(raw: Study) -> None:
    said, plan = study.parse(raw), resolved(raw)
    shown = screen(said, plan, None, None, {"answers": Taken(3, 7200.0), "scores": Taken(0, 0.0)}).splitlines()
    assert all(any(name.replace("_", " ") in line for line in shown) for name in ASSUMED)
    stages = {line.split()[0]: line.split()[1:] for line in shown[1 : shown.index("")]}
    assert stages["answers"][-2:] == stages["all"][-2:] == ["2.00", "3"] and stages["scores"][-2:] == ["-", "-"]
    assert stages["all"][0] == f"{len(plan.all()):,}"
    bill = bill_of(plan, device_of(said.execution, None))
    assert sum(bill.by_stage.values(), Item()) == bill.total and not bill.total.card_s
    for card in SHEETS:
        assert card in screen(said, plan, card, None, {})


def test_neither_a_card_nor_a_file_is_one_sentence(raw: Study, tmp_path: Path) -> None:
    execution = study.parse(raw).execution
    with pytest.raises(ConfigError, match=r"expected a card .*H100.* or a file that `emsteer pace FILE` wrote"):
        device_of(execution, "H1000")
    (tmp_path / "pace.json").write_text('{"name": "here", "card_bytes": -1, "models": [{"pace": {"said": 0}}]}')
    with pytest.raises(
        DataError, match=r"(?s)no file of `emsteer pace`.*card_bytes: expected at least 0.*models\.0\.shape: missing"
    ):
        device_of(execution, str(tmp_path / "pace.json"))


def test_a_device_that_was_timed_is_billed_by_its_times_and_by_no_others(raw: Study) -> None:
    of = cell(raw, "answers", "mini.base.everyday.b0")
    shape = costs.model_shape(of)
    assert shape
    pace = Pace(training=6, adapting=4, through=3, forward=2, said=5)
    timed = Timed(name="here", card_bytes=0, models=(TimedModel(shape=shape, bytes_of_number=4, pace=pace),))
    item = item_of(of, timed)
    assert item.core_s == pytest.approx(2 * item.read + 5 * item.said)
    trained = item_of(cell(raw, "adapters", "mini.gardening.lora.s0.t2"), timed)
    assert trained.core_s == pytest.approx(4 * trained.read)
    with pytest.raises(DataError, match=r"was not timed on here\.\n  Run `emsteer pace FILE` there"):
        timed.pace(shape, 2)


def test_a_budget_names_the_dearest_sweeps_until_it_is_kept(raw: Study) -> None:
    said, plan = study.parse(raw), resolved(raw)
    hours = bill_of(plan, device_of(said.execution, None)).total.core_s / 3600
    assert "within a budget" in screen(said, plan, None, 2 * hours, {})
    shown = screen(said, plan, None, 0.9 * hours, {}).splitlines()
    alone = [line.split() for line in shown[shown.index(next(line for line in shown if "over a budget" in line)) + 1 : -1]]
    assert {name for _, name in alone} == {*raw["sweeps"]} and shown[-1].startswith(f"without {alone[0][1]}")
    assert "without any sweep" in screen(said, plan, None, 0.0, {})


def test_the_papers_study_is_billed_without_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    said = study.read(Path("params/paper.yaml"))
    from emsteer.plan import resolve

    shown = screen(said, resolve(said), "H100", None, {})
    assert "186.1 GB of models to fetch" in shown and "USD at list price" in shown and "qwen35-27b" in shown
