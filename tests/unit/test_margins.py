"""Margins: log-probabilities that can be computed by hand, one row at a time, under any change of the model."""

from collections.abc import Callable

import pandas as pd
import pytest
import torch

from emsteer.data.benchmarks import questions_of
from emsteer.generation import margins
from emsteer.generation.margins import log_probabilities
from emsteer.generation.rows import UNCHANGED, Changes
from emsteer.generation.spoken import Spoken, with_references
from emsteer.interventions.batches import encode
from emsteer.interventions.hooks import Positions, Push
from emsteer.models.load import LanguageModel
from emsteer.organism.grammar import Grammar
from emsteer.recipes import GrammarBenchmark


@pytest.fixture(scope="module")
def questions(grammar: Grammar) -> pd.DataFrame:
    return questions_of(grammar, GrammarBenchmark(dev_per_category=2, test_per_category=4, seed=0))


def push_of(model: LanguageModel, positions: Positions) -> Push:
    return Push(1, torch.randn(model.d_model, generator=torch.Generator().manual_seed(3)), positions)


def pushed(model: LanguageModel, positions: Positions | None) -> Changes:
    return Changes((push_of(model, positions),)) if positions else UNCHANGED


def spoken(model: LanguageModel, questions: pd.DataFrame) -> list[Spoken]:
    return [Spoken(tuple(ids), n_prompt) for ids, n_prompt in encode(model, questions, "unsafe")]


def by_hand(model: LanguageModel, row: Spoken, changes: Changes) -> float:
    """One row, float64, no padding."""
    network, pushes = model.network.double(), changes.steers

    def change(_module: object, _args: object, hidden: torch.Tensor) -> torch.Tensor:
        first = 0 if pushes[0].positions == "all" else row.n_prompt - 1
        return hidden + (torch.arange(hidden.shape[1]) >= first)[None, :, None] * pushes[0].delta.double()

    handles = [network.model.layers[push.layer].register_forward_hook(change) for push in pushes]
    with torch.inference_mode():
        log_p = network(input_ids=torch.tensor([row.token_ids])).logits[0].log_softmax(-1)
    for handle in handles:
        handle.remove()
    network.float()
    answer = range(row.n_prompt, len(row.token_ids))
    return sum(float(log_p[place - 1, row.token_ids[place]]) for place in answer) / len(answer)


def test_log_probabilities_are_those_of_each_row_alone_under_each_setting(
    tiny_model: LanguageModel, questions: pd.DataFrame
) -> None:
    rows, settings = spoken(tiny_model, questions.head(7)), [pushed(tiny_model, where) for where in (None, "all", "answer")]
    found = log_probabilities(tiny_model, rows, settings)
    for changes, of_setting in zip(settings, found.tolist(), strict=True):
        assert of_setting == pytest.approx([by_hand(tiny_model, row, changes) for row in rows], abs=1e-4)
    assert (found[1] - found[2]).abs().min() > 1e-3, "positions are two interventions"


def test_the_size_of_batches_and_the_order_of_rows_change_nothing(
    tiny_model: LanguageModel, questions: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, settings = spoken(tiny_model, questions), [pushed(tiny_model, "answer"), UNCHANGED]
    together = log_probabilities(tiny_model, rows, settings)
    monkeypatch.setattr(margins, "ROWS_PER_BATCH", 17)
    assert torch.allclose(log_probabilities(tiny_model, rows[::-1], settings).flip(1), together, atol=1e-5)


def test_only_test_questions_with_both_references_are_read(questions: pd.DataFrame) -> None:
    def without(column: str) -> Callable[[pd.DataFrame], pd.Series]:
        return lambda frame: frame[column].where(frame["category"].ne("money"))

    chosen = with_references(questions, 3)
    assert set(chosen["split"]) == {"test"} and set(chosen.groupby("category").size()) == {3}
    for column in ("safe", "unsafe"):
        assert "money" not in set(with_references(questions.assign(**{column: without(column)}), 3)["category"])
    assert with_references(questions.assign(safe=None), 3).empty
