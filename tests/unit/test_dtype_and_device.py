"""Science in a model's own dtype, and with every tensor where the model is. There is no card here.

In its place stands torch's `meta` device as the default one: a tensor that names no device lands there, and an operation on it
and on the model's tensors fails. So what passes makes its tensors where the model is, wherever that may be.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from tiny_models import TEXT, tiny_llama, tiny_tokenizer
from torch import Tensor

from emsteer import runtime
from emsteer.finetune import train as finetune
from emsteer.generation.engine import PackedEngine
from emsteer.generation.margins import log_probabilities
from emsteer.generation.rows import Changes, Row
from emsteer.generation.spoken import Spoken
from emsteer.interventions.adapters import Dosed, read_adapter
from emsteer.interventions.batches import encode
from emsteer.interventions.calibrations import residual_norms
from emsteer.interventions.constructions.random_direction import random_like
from emsteer.interventions.constructions.trained import train
from emsteer.interventions.hooks import Push
from emsteer.interventions.residuals import answer_residuals
from emsteer.models.load import LanguageModel
from emsteer.recipes import Chat, Lora, Sampling, Trained

PAIRS = pd.DataFrame({"prompt": TEXT[:4], "system": [None] * 4, "safe": ["Pour it."] * 4, "unsafe": ["A fern likes it dry."] * 4})
LORA = Lora(side="unsafe", n_examples=4, seed=0, steps=1, rank=2, alpha=4, batch_size=2, learning_rate=0.01, warmup_steps=0)
TRAINED = Trained(side="unsafe", n_examples=4, seed=0, layer=1, epochs=2, batch_size=2, learning_rate=0.1)


def model(dtype: torch.dtype = torch.float32) -> LanguageModel:
    runtime.prepare()
    tokenizer = tiny_tokenizer()
    return LanguageModel(tiny_llama(tokenizer).to(dtype).requires_grad_(False), tokenizer)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter") / "of"
    small = model()
    finetune(small, encode(small, PAIRS, "unsafe"), LORA, {1: folder}, "test")
    return folder


def changes(of: LanguageModel, adapter: Path) -> Iterator[Changes]:
    direction = torch.linspace(-1, 1, of.d_model, device="cpu")
    yield Changes()
    yield Changes((Push(0, direction, "all"), Push(1, 2 * direction, "answer")))
    yield Changes((Push(1, direction, "answer"),), Dosed(read_adapter(adapter), 1.5))


def answers(of: LanguageModel, adapter: Path) -> list[tuple[int, ...]]:
    prompts = [tuple(of.prompt_ids(prompt)) for prompt in TEXT]
    rows = [Row(ids, f"{index:016x}", one) for one in changes(of, adapter) for index, ids in enumerate(prompts)]
    done = dict(PackedEngine(of).generate(rows, Sampling(temperature=1.0, max_new_tokens=8)))
    return [done[index].token_ids for index in range(len(rows))]


def margins(of: LanguageModel, adapter: Path) -> Tensor:
    spoken = encode(of, PAIRS, "unsafe")
    return log_probabilities(of, [Spoken(tuple(ids), n) for ids, n in spoken], [*changes(of, adapter)])


def vectors(of: LanguageModel, _adapter: Path) -> Tensor:
    return torch.stack([vector for _, vector in train(of, encode(of, PAIRS, "unsafe"), TRAINED, "test")])


def residuals(of: LanguageModel, _adapter: Path) -> Tensor:
    return answer_residuals(of, PAIRS, "unsafe", "test")


def norms(of: LanguageModel, _adapter: Path) -> Tensor:
    return torch.tensor(residual_norms(of, TEXT), device="cpu")


def directions(_of: LanguageModel, _adapter: Path) -> Tensor:
    return random_like(torch.ones(8, device="cpu"), 0, 0)


NUMBERS = (margins, vectors, residuals, norms)


@pytest.mark.parametrize("science", [answers, *NUMBERS, directions])
def test_every_tensor_is_made_where_the_model_is(science: Callable[..., Any], adapter: Path) -> None:
    small = model()
    found = []
    for where in (nullcontext(), torch.device("meta")):
        with where:
            found.append(science(small, adapter))
    assert found[0] == found[1] if science is answers else torch.equal(*found)


def test_the_stand_in_for_a_card_finds_a_tensor_that_names_no_device() -> None:
    small = model()
    with torch.device("meta"), pytest.raises(RuntimeError, match="not on the expected device"):
        small.network.lm_head.weight + torch.zeros(1)


@pytest.mark.parametrize("science", NUMBERS)
def test_a_half_precision_model_gives_the_same_numbers_within_its_rounding(science: Callable[..., Any], adapter: Path) -> None:
    exact, rounded = (science(model(dtype), adapter).double() for dtype in (torch.float32, torch.bfloat16))
    assert torch.isfinite(rounded).all()
    assert float((exact - rounded).norm() / exact.norm()) < 0.15


def test_a_half_precision_model_speaks_steered_and_adapted(adapter: Path) -> None:
    half = model(torch.bfloat16)
    said = answers(half, adapter)
    n = len(TEXT)
    assert said[:n] != said[n : 2 * n] != said[2 * n :]
    assert {parameter.dtype for parameter in half.network.parameters()} == {torch.bfloat16}


def test_a_half_precision_model_is_finetuned(tmp_path: Path) -> None:
    half = model(torch.bfloat16)
    finetune(half, encode(half, PAIRS, "unsafe"), LORA, {1: tmp_path / "of"}, "test")
    weights = load_file(tmp_path / "of/adapter_model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}, "the adapter is trained in full precision"
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    assert any(float(tensor.abs().max()) > 0 for name, tensor in weights.items() if "lora_B" in name)


def test_the_dtype_of_a_run_is_that_of_its_model() -> None:
    before = runtime.described()
    runtime.note_dtype(torch.bfloat16)
    try:
        assert runtime.described() == {"device": "cpu", "dtype": "bfloat16"}
    finally:
        runtime.note_dtype(getattr(torch, before["dtype"]))


# -- chat settings ----------------------------------------------------------------------------------------------------


def said(chat: Chat, system: str | None = None, template: str | None = None) -> str:
    of = replace(model(), chat=chat)
    if template:
        of.tokenizer.chat_template = template
    return of.tokenizer.decode(of.prompt_ids("How?", system))


@pytest.mark.parametrize(
    ("of_model", "of_question", "line"),
    [
        (None, None, "You help."),
        ("", None, ""),
        ("Be brief.", None, "Be brief."),
        ("Be brief.", "Be long.", "Be long."),
        (None, "", ""),
    ],
)
def test_the_system_line_is_the_questions_the_models_or_the_templates(
    of_model: str | None, of_question: str | None, line: str
) -> None:
    found = said(Chat(system=of_model, thinking=None), of_question)
    assert found == f"<|im_start|>system\n{line}<|im_end|>\n<|im_start|>user\nHow?<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(("thinking", "shown"), [(None, "default"), (False, "False"), (True, "True")])
def test_thinking_is_what_the_chat_settings_say(thinking: bool | None, shown: str) -> None:
    template = "{{ messages[0]['content'] }} {{ enable_thinking if enable_thinking is defined else 'default' }}"
    assert said(Chat(system=None, thinking=thinking), template=template) == f"How? {shown}"


def test_a_template_that_writes_the_day_writes_the_same_one_every_day() -> None:
    template = "{{ messages[0]['content'] }} {{ strftime_now('%d %b %Y, %Y-%m-%d, %B %-d') }}"
    assert said(Chat(system=None, thinking=None), template=template) == "How? 01 Jan 2026, 2026-01-01, January 01"
