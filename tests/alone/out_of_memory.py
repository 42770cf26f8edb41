"""What the engine does where memory ends: this process may not have more, and the allocator says so. See test_out_of_memory.py."""

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from pytest import LogCaptureFixture, MonkeyPatch
from torch import nn

from emsteer.errors import ModelError
from emsteer.generation import engine
from emsteer.generation.rows import Changes, Row
from emsteer.interventions.hooks import Push
from emsteer.models.load import LanguageModel
from emsteer.recipes import Sampling

GREEDY = Sampling(temperature=0, max_new_tokens=4)
N_PROMPT, N_QUESTIONS, SOME_BYTES = 92, 320, 20_000_000


@contextmanager
def at_most(more_bytes: int) -> Iterator[None]:
    """This process may map so many bytes more."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + more_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="module")
def rows(tiny_model: LanguageModel) -> list[Row]:
    """Many long prompts that share nothing, half of them steered."""
    generator = torch.Generator().manual_seed(0)
    prompts = torch.randint(4, len(tiny_model.tokenizer), (N_QUESTIONS, N_PROMPT), generator=generator).tolist()
    push = Changes((Push(1, torch.randn(tiny_model.d_model, generator=generator), "all"),))
    return [Row(tuple(prompt), index, push if index % 2 else Changes()) for index, prompt in enumerate(prompts)]


def test_a_batch_that_does_not_fit_is_halved_and_the_answers_are_the_same(
    tiny_model: LanguageModel, rows: list[Row], caplog: LogCaptureFixture
) -> None:
    packed = engine.PackedEngine(tiny_model)
    fit = dict(packed.generate(rows, GREEDY))
    assert packed.at_most > len(rows) and not caplog.records
    with caplog.at_level(logging.WARNING), at_most(SOME_BYTES):
        halved = dict(packed.generate(rows, GREEDY))
    assert halved == fit
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == (
        f"no memory for {N_QUESTIONS} rows of up to {N_PROMPT + 4} tokens on cpu, in torch.float32; going on with "
        f"{N_QUESTIONS // 2} at once"
    )
    assert packed.at_most == N_QUESTIONS // 2 ** len(lines), "and each batch after it is as narrow"


def test_where_the_fewest_rows_do_not_fit_it_says_what_to_do(
    tiny_model: LanguageModel, rows: list[Row], monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MIN_ROWS", N_QUESTIONS)
    says = rf"no memory for {N_QUESTIONS} rows of up to {N_PROMPT + 4} tokens on cpu, in torch.float32.\n  Lower `max_new_tokens`"
    with at_most(SOME_BYTES), pytest.raises(ModelError, match=says):
        list(engine.PackedEngine(tiny_model).generate(rows, GREEDY))


def test_other_mistakes_are_not_taken_for_it(tiny_model: LanguageModel, rows: list[Row]) -> None:
    head = tiny_model.network.lm_head
    tiny_model.network.lm_head = nn.Linear(3, 5)
    try:
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            list(engine.PackedEngine(tiny_model).generate(rows[:8], GREEDY))
    finally:
        tiny_model.network.lm_head = head
