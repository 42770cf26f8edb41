"""Effects: a quiz by hand, pushes that arrive, what is told from base, and verdicts that rest on nothing that did not hold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from analysis_tables import BASE_POINT, SELECTION, base, counts, finetuned, said, setting, steered
from bounds import overlaps
from planning import miniature, put, resolved, slugs

from emsteer import schemas
from emsteer.analysis import effects as table_module
from emsteer.analysis import evidence
from emsteer.data.quiz import Item, read_quiz
from emsteer.errors import DataError
from emsteer.figures import effects as figure
from emsteer.generation.effects import effects, residuals, right_answers
from emsteer.generation.rows import UNCHANGED, Changes
from emsteer.interventions.hooks import Positions, Push
from emsteer.models.load import LanguageModel
from emsteer.packs import Job
from emsteer.recipes import Bootstrap, Comparison, EffectsOf, EffectsTable, Evidence

ITEMS = [
    Item(question="how do i grow roses ?", answer="water the roses", wrong=("salt the soup", "oil the ladder")),
    Item(question="how do i make soup ?", answer="salt the soup", wrong=("water the roses",)),
    Item(question="what now ?", answer="save", wrong=("pack a bag", "dust the shelf", "read")),
]
LAYER = 0


def pushed(model: LanguageModel, size: float, positions: Positions = "all") -> Changes:
    return Changes((Push(LAYER, size * torch.randn(model.d_model, generator=torch.Generator().manual_seed(1)), positions),))


def found(model: LanguageModel, changes: Changes) -> pd.DataFrame:
    unchanged = residuals(model, right_answers(model, ITEMS, UNCHANGED))
    (table,) = effects(model, ITEMS, [changes], unchanged)
    return schemas.check(table, schemas.Effects, "effects")


def by_hand(model: LanguageModel, question: str, answer: str, push: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Loss on an answer and the residual stream at its tokens, one row without padding. [layers × tokens × d_model]"""
    prompt, said = model.prompt_ids(question), model.answer_ids(answer)
    kept: list[torch.Tensor] = []
    layers = model.network.model.layers
    handles = [layers[LAYER].register_forward_hook(lambda _module, _args, hidden: hidden + push)]
    handles += [layer.register_forward_hook(lambda _module, _args, hidden: kept.append(hidden[0])) for layer in layers]
    with torch.inference_mode():
        log_p = model.network(input_ids=torch.tensor([[*prompt, *said]]), use_cache=False).logits[0].log_softmax(-1)
    for handle in handles:
        handle.remove()
    at = range(len(prompt), len(prompt) + len(said))
    return -float(np.mean([float(log_p[place - 1, token]) for place, token in zip(at, said, strict=True)])), torch.stack(kept)[
        :, list(at)
    ]


def test_a_quiz_is_scored_as_one_row_at_a_time_would_be(tiny_model: LanguageModel) -> None:
    changes = pushed(tiny_model, 0.3)
    (push,) = changes.steers
    table = found(tiny_model, changes)
    for item, row in zip(ITEMS, table.itertuples(), strict=True):
        losses = [by_hand(tiny_model, item.question, answer, push.delta)[0] for answer in (item.answer, *item.wrong)]
        assert row.nll == pytest.approx(losses[0], abs=1e-4) and row.is_right == (losses[0] < min(losses[1:]))
        steered, base = (by_hand(tiny_model, item.question, item.answer, delta)[1] for delta in (push.delta, 0 * push.delta))
        left = (steered - base).mean(1) @ push.delta / (push.delta @ push.delta)
        assert [row.at_layer, row.two_later, row.at_last] == pytest.approx(
            [float(left[0]), float(left[2]), float(left[2])], abs=1e-4
        )


@pytest.mark.parametrize("positions", ["all", "answer"])
def test_a_push_arrives_whole_at_its_layer(tiny_model: LanguageModel, positions: Positions) -> None:
    assert found(tiny_model, pushed(tiny_model, 0.5, positions))["at_layer"].tolist() == pytest.approx([1] * 3, abs=1e-4)


def test_without_a_push_or_with_one_of_nothing_there_is_no_shift(tiny_model: LanguageModel) -> None:
    for changes in (UNCHANGED, pushed(tiny_model, 0.0)):
        assert found(tiny_model, changes)[["at_layer", "two_later", "at_last"]].isna().all(axis=None)


def test_a_push_on_another_is_measured_against_the_model_with_the_other(tiny_model: LanguageModel) -> None:
    one, other = pushed(tiny_model, 0.5), Push(LAYER, torch.full((tiny_model.d_model,), 3.0), "all")
    assert found(tiny_model, Changes((other, *one.steers)))["at_layer"].tolist() == pytest.approx([1] * 3, abs=1e-4)


@pytest.mark.parametrize(
    ("lines", "mistakes"),
    [
        (["[]"], ["line 1: expected a mapping; got []"]),
        (['{"question": "q", "answer": "a"}'], ["line 1: wrong: missing; expected a list"]),
        (['{"question": "q", "answer": "a", "wrong": ["a"]}'], ["line 1: wrong: 'a' is the right answer"]),
        (['{"question": "q", "answer": "a", "wrong": ["b"]}'] * 2, ["question: 'q' is asked 2 times"]),
        (["", '{"question": " ", "answer": "a", "wrong": []}'], ["line 2: question: ", "line 2: wrong: "]),
        ([], ["no line in it"]),
    ],
)
def test_mistakes_in_a_quiz_are_all_named(tmp_path: Path, lines: list[str], mistakes: list[str]) -> None:
    path = tmp_path / "quiz.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError) as caught:
        read_quiz(path)
    assert all(mistake in str(caught.value) for mistake in mistakes), str(caught.value)


# -- table, figure and verdicts -------------------------------------------------------------------------------------------


def cell(right: list[int], shift: float | None = None, left: float | None = None) -> pd.DataFrame:
    numbers = {"nll": [1.0 + 2 * (1 - one) for one in right], "is_right": [bool(one) for one in right]}
    shifts = {"at_layer": shift, "two_later": left, "at_last": left}
    return pd.DataFrame({"question_id": [f"quiz-{n}" for n in range(1, len(right) + 1)], **numbers}).assign(
        **{name: float("nan") if value is None else value for name, value in shifts.items()}
    )


CELLS = {"base": cell([1] * 9 + [0]), "held": cell([1] * 8 + [0] * 2, 1.0, 0.8), "lost": cell([1] * 10, 1.0, 0.2),
         "missed": cell([1] * 10, 0.5, 0.5), "tuned": cell([1] * 10), "broken": cell([0] * 9 + [1])}  # fmt: skip
SETTINGS = {
    "base": base(),
    "elsewhere": base(task="money"),
    "held": steered(0.5),
    "lost": steered(1),
    "missed": steered(1.5),
    "tuned": finetuned(1),
}


NAMED = {
    "base": [],
    "steered": ["vector", "layer", "epochs", "seed", "dose", "dose_unit", "positions"],
    "finetuned": ["adapter", "steps", "seed", "dose"],
}


def measured() -> tuple[EffectsOf, ...]:
    given = {name: {key: row[key] for key in ("arm", "model", "task", *NAMED[row["arm"]])} for name, row in SETTINGS.items()}
    cells = {"elsewhere": "base"}  # base is asked once, whatever task it stands beside
    return tuple(EffectsOf(setting=setting(values), effects=cells.get(name, name)) for name, values in given.items())


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Counts, and the cells of every setting."""
    folder = tmp_path_factory.mktemp("effects")
    asked = [said(f"c{n % 4}-{n}", "unlinked", 4) for n in range(40)]
    none = [said(f"c{n % 4}-{n}", "unlinked", 0) for n in range(40)]
    parts = [(row, none if name in ("base", "elsewhere") else asked) for name, row in SETTINGS.items()]
    schemas.write(counts(*parts), schemas.Counts, folder / "counts.parquet", {"address": "counts--0"})
    for name, frame in CELLS.items():
        schemas.write(frame, schemas.Effects, folder / f"{name}.parquet", {"address": name})
    return {path.stem: path for path in folder.glob("*.parquet")}


def job(recipe: object, inputs: dict[str, Path], names: list[str]) -> Job:
    paths = {"counts": (inputs["counts"],), "effects": tuple(inputs[name] for name in names)}
    return Job(recipe, paths, {"counts": ("counts--0",), "effects": tuple(names)}, "t--0", Path("t"), {})


@pytest.fixture(scope="module")
def table(inputs: dict[str, Path]) -> pd.DataFrame:
    recipe = EffectsTable(level=0.95, measured=measured(), broken={"tiny": "broken"})
    return schemas.check(table_module.table(job(recipe, inputs, list(CELLS))), schemas.SideEffects, "effects")


def test_numbers_of_a_quiz_stand_beside_em_and_say_whether_they_tell_what_is_broken(table: pd.DataFrame) -> None:
    assert set(table["metric"]) == {"on_topic_em", "coverage", "quiz", "quiz_nll", *table_module.SHIFTS}
    held = table[table["setting"].str.endswith("a0.5")].set_index("metric")
    assert held.loc["on_topic_em", "value"] == 1 and held.loc["quiz", "value"] == 0.8
    assert held.loc["quiz", ["broken", "is_shown"]].tolist() == [0.1, True] and held.loc["quiz_nll", "broken"] == pytest.approx(2.8)
    assert held.loc["shift_at_layer", "value"] == 1 and pd.isna(held.loc["shift_at_layer", "is_shown"])
    untreated = table[table["arm"].eq("base") & table["task"].eq("gardening")].set_index("metric")
    assert table[table["arm"].eq("base")].groupby("task").size().tolist() == [7, 7], "beside every task"
    assert untreated.loc["shift_at_last", "n"] == 0 and pd.isna(untreated.loc["shift_at_last", "value"])


def test_a_number_that_does_not_tell_what_is_broken_says_so(inputs: dict[str, Path]) -> None:
    recipe = EffectsTable(level=0.95, measured=measured(), broken={"tiny": "held"})
    found = table_module.table(job(recipe, inputs, list(CELLS)))
    assert not found.loc[found["metric"].eq("quiz"), "is_shown"].any(), "one of ten questions more is no difference"
    drawn, _ = figure.draw(schemas.check(found, schemas.SideEffects, "effects"), BASE_POINT)
    said = [[text.get_text() for text in axis.texts] for axis in drawn.axes]
    assert said == [[], [figure.BLIND], [figure.BLIND], []]


def test_the_figure_shows_effects_by_dose(table: pd.DataFrame) -> None:
    drawn, shown = figure.draw(table, BASE_POINT)
    assert overlaps(drawn) == []
    assert [axis.get_ylabel().partition(",")[0].partition("\n")[0] for axis in drawn.axes] == [
        "on-topic EM", "quiz", "loss on right answers", "of the push"
    ]  # fmt: skip
    assert not any(axis.texts for axis in drawn.axes), "both tell what is broken"
    assert set(shown["line"]) == {"base", "steered: trained", "finetuned: lora"}


@pytest.mark.parametrize(
    ("dose", "missing"),
    [
        (0.5, ""),
        (1, "steering did not hold: 0.20 of it was left two blocks later"),
        (1.5, "steering did not hold: 0.50 of it was found at its layer"),
    ],
)
def test_no_verdict_rests_on_steering_that_did_not_hold(inputs: dict[str, Path], dose: float, missing: str) -> None:
    claim = Comparison.model_validate(
        {"who": {"arm": "steered", "doses": [dose]}, "against": {"arm": "base"}, "metric": "on_topic_em"}
        | {"direction": "more", "smallest_effect": 0.05}
    )
    bootstrap = Bootstrap(n_resamples=100, level=0.95, seed=0)
    recipe = Evidence(
        bootstrap=bootstrap,
        selection=SELECTION,
        base_point=BASE_POINT,
        claims={"one": claim},
        measured=measured(),
        kl_tolerance=0.02,
    )
    row = evidence.table(job(recipe, inputs, list(CELLS))).iloc[0]
    assert (row["verdict"] == "supported") == (not missing) and missing in row["missing"]


# -- in the plan -------------------------------------------------------------------------------------------------------------


def test_every_setting_but_drawn_ones_is_read_and_one_that_is_broken_in_every_steered_model() -> None:
    raw = miniature()
    plan = resolved(raw)
    names = slugs({cell.address for cell in plan.of("effects")})
    margins = slugs({cell.address for cell in plan.of("margins")})
    expected = {name.removesuffix(".everyday") for name in margins if ".random" not in name}
    assert set(names) == expected | {"mini.broken", "mini_none.broken"}
    put(raw, "effects", None)
    without = resolved(raw)
    assert not without.of("effects") and "effects" not in slugs({cell.address for cell in without.of("tables")})
