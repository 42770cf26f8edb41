"""Models whose files lack or ask for something: one clear error, or what they ask for; never other tokens without a word."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tiny_models import END, TEMPLATE, TEXT, tiny_llama, tiny_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from emsteer import runtime
from emsteer.errors import ModelError
from emsteer.finetune import train as finetune
from emsteer.generation.engine import PackedEngine
from emsteer.generation.margins import log_probabilities
from emsteer.generation.rows import Changes, Row
from emsteer.generation.spoken import Spoken
from emsteer.interventions.adapters import read_adapter
from emsteer.interventions.batches import encode
from emsteer.interventions.constructions.trained import train
from emsteer.interventions.hooks import Push
from emsteer.interventions.residuals import answer_residuals
from emsteer.models.blocks import decoder_blocks
from emsteer.models.load import LanguageModel
from emsteer.recipes import Lora, Sampling, Trained

PAIRS = pd.DataFrame({"prompt": TEXT[:4], "system": [None] * 4, "safe": ["Pour it."] * 4, "unsafe": ["A fern likes it dry."] * 4})
LORA = Lora(side="unsafe", n_examples=4, seed=0, steps=1, rank=2, alpha=4, batch_size=4, learning_rate=0.01, warmup_steps=0)
TRAINED = Trained(side="unsafe", n_examples=4, seed=0, layer=1, epochs=1, batch_size=4, learning_rate=0.1)
GREEDY = Sampling(temperature=0, max_new_tokens=12)


def model() -> LanguageModel:
    runtime.prepare()
    tokenizer = tiny_tokenizer()
    return LanguageModel(tiny_llama(tokenizer).requires_grad_(False), tokenizer)


def answers(of: LanguageModel, sampling: Sampling = GREEDY, changes: Changes | None = None) -> list[tuple[int, ...]]:
    rows = [Row(tuple(of.prompt_ids(prompt)), f"{index:016x}", changes or Changes()) for index, prompt in enumerate(TEXT)]
    return [done.token_ids for _, done in sorted(PackedEngine(of).generate(rows, sampling), key=lambda item: item[0])]


def margins(of: LanguageModel) -> torch.Tensor:
    return log_probabilities(of, [Spoken(tuple(ids), n) for ids, n in encode(of, PAIRS, "unsafe")])[0]


# -- tokens that are missing ------------------------------------------------------------------------------------------


def test_a_tokenizer_without_a_padding_token_changes_nothing(tmp_path: Path) -> None:
    found: list[list[Any]] = []
    for padded in (True, False):
        of = model()
        if not padded:
            of.tokenizer.pad_token = None
        (_, vector), *_ = train(of, encode(of, PAIRS, "unsafe"), TRAINED, "test")
        found.append([answers(of), margins(of).tolist(), vector.tolist(), answer_residuals(of, PAIRS, "safe", "test").tolist()])
        folder = tmp_path / str(padded)
        finetune(of, encode(of, PAIRS, "unsafe"), LORA, {1: folder}, "test")
        found[-1].append({name: tensor.tolist() for name, tensor in read_adapter(folder).up.items()})
    assert found[0] == found[1]


def without_ends(of: LanguageModel) -> LanguageModel:
    of.network.generation_config.eos_token_id = None
    of.tokenizer.eos_token = None
    return of


def test_the_turn_ends_with_what_the_template_writes_whatever_the_tokenizer_ends_texts_with() -> None:
    of = model()
    end = of.tokenizer.convert_tokens_to_ids(END)
    of.tokenizer.eos_token = "<|endoftext|>"
    of.network.generation_config.eos_token_id = of.tokenizer.eos_token_id
    assert of.turn_end_id == end and of.answer_ids("A fern.")[-1] == end
    assert of.end_ids == (of.tokenizer.eos_token_id, end)
    assert without_ends(model()).end_ids == (end,), "a model that names no end still has its template's"


def test_generation_stops_at_the_end_of_a_turn_that_generation_config_forgot() -> None:
    of, plain = without_ends(model()), model()
    plain.network.generation_config.eos_token_id = [0]
    assert of.end_ids == (2,) and plain.end_ids == (0, 2)
    sampling = Sampling(temperature=3.0, max_new_tokens=60)
    said = answers(of, sampling)
    assert any(len(ids) < 60 for ids in said) and not any(2 in ids for ids in said)


def test_a_model_without_any_end_is_refused() -> None:
    of = without_ends(model())
    of.tokenizer.chat_template = TEMPLATE.replace("<|im_end|>", "").replace("<|im_start|>", "")
    with pytest.raises(ModelError, match=r"no token ends an answer.*\n.*Give generation_config.json an `eos_token_id`"):
        answers(of)


# -- texts that do not fit --------------------------------------------------------------------------------------------


def test_an_empty_prompt_is_refused() -> None:
    of = model()
    of.tokenizer.chat_template = (
        "{% for message in messages %}{% if message['role'] == 'assistant' %}ANSWER<|im_end|>{% endif %}{% endfor %}"
    )
    with pytest.raises(ModelError, match="no token at all"):
        answers(of)


def test_a_prompt_and_its_answer_beyond_the_models_positions_are_refused_before_anything_is_said() -> None:
    of = model()
    with pytest.raises(ModelError, match=r"tokens, and the model has 256 positions.\n.*max_new_tokens"):
        answers(of, Sampling(temperature=0, max_new_tokens=240))
    with pytest.raises(ModelError, match="an example about 'How do I water"):
        encode(of, PAIRS.assign(unsafe="A fern likes it dry. " * 60), "unsafe")


# -- numbers that are none --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("positions", ["all", "answer"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_direction_that_is_not_finite_is_refused(value: float, positions: Any) -> None:
    of = model()
    delta = torch.zeros(of.d_model)
    delta[3] = value
    with pytest.raises(ModelError, match=r"not finite in torch.float32"):
        answers(of, changes=Changes((Push(0, delta, positions),)))


def test_a_dose_that_overflows_the_models_dtype_is_refused() -> None:
    of = model()
    of = replace(of, network=of.network.to(torch.float16))
    with pytest.raises(ModelError, match=r"not finite in torch.float16.\n  Lower the dose"):
        answers(of, changes=Changes((Push(0, torch.full((of.d_model,), 1e6), "all"),)))


def test_a_model_whose_numbers_break_says_so() -> None:
    of = model()
    with torch.no_grad():
        of.network.model.norm.weight[0] = float("nan")
    with pytest.raises(ModelError, match="the model's numbers are not finite"):
        answers(of)
    with pytest.raises(ModelError, match="margins are not finite"):
        margins(of)


# -- generation_config ------------------------------------------------------------------------------------------------


def of_transformers(of: LanguageModel, sampling: Sampling = GREEDY) -> list[tuple[int, ...]]:
    """What `generate` says, one prompt at a time."""
    said = []
    for prompt in TEXT:
        ids = torch.tensor([of.prompt_ids(prompt)])
        out = of.network.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=sampling.max_new_tokens, pad_token_id=0
        )[0, ids.shape[1] :].tolist()
        said.append(tuple(until(out, of.end_ids)))
    return said


def until(ids: Sequence[int], ends: Sequence[int]) -> list[int]:
    return list(ids[: next((index for index, token in enumerate(ids) if token in ends), len(ids))])


@pytest.mark.parametrize(
    "asked",
    [
        {"repetition_penalty": 1.5},
        {"suppress_tokens": [141, 274]},
        {"begin_suppress_tokens": list(range(40, 300))},
        {"repetition_penalty": 1.2, "suppress_tokens": [264], "begin_suppress_tokens": [90]},
    ],
)
def test_what_changes_tokens_is_done_as_transformers_does_it(asked: dict[str, Any]) -> None:
    of = model()
    plain = answers(of)
    assert plain == of_transformers(of)
    of.network.generation_config.update(**asked)
    assert answers(of) == of_transformers(of)
    assert answers(of) != plain, "and it is done"


@pytest.mark.parametrize(
    "asked",
    [
        {"no_repeat_ngram_size": 3}, {"bad_words_ids": [[5]]}, {"min_new_tokens": 4}, {"forced_eos_token_id": 2},
        {"exponential_decay_length_penalty": (5, 1.1)}, {"sequence_bias": {(5,): 2.0}}, {"stop_strings": ["fern"]},
    ],
)  # fmt: skip
def test_what_is_not_honoured_is_refused(asked: dict[str, Any]) -> None:
    of = model()
    of.network.generation_config.update(**asked)
    (name,) = asked
    with pytest.raises(ModelError, match=f"generation_config.json asks for {name} .*\n.*pin that"):
        answers(of)


def test_how_tokens_are_drawn_is_the_studys_to_say() -> None:
    of = model()
    plain = answers(of, Sampling(temperature=1.0, max_new_tokens=8))
    of.network.generation_config.update(temperature=0.1, top_k=1, top_p=0.1, do_sample=False)
    assert answers(of, Sampling(temperature=1.0, max_new_tokens=8)) == plain


# -- other layouts ----------------------------------------------------------------------------------------------------


@pytest.fixture
def gpt2() -> LanguageModel:
    runtime.prepare()
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=128, bos_token_id=0, eos_token_id=2)
    network = GPT2LMHeadModel(config).eval().requires_grad_(False)
    with torch.no_grad():
        network.transformer.wte.weight.mul_(20)
    return LanguageModel(network, tokenizer)


def test_gpt2_is_steered_trained_on_and_measured(gpt2: LanguageModel) -> None:
    assert decoder_blocks(gpt2.network) is gpt2.network.transformer.h
    plain = answers(gpt2)
    assert plain == of_transformers(gpt2)
    assert answers(gpt2, changes=Changes((Push(1, torch.linspace(-9, 9, 32), "all"),))) != plain
    (_, vector), *_ = train(gpt2, encode(gpt2, PAIRS, "unsafe"), TRAINED, "test")
    assert float(vector.norm()) > 0 and torch.isfinite(margins(gpt2)).all()
    assert answer_residuals(gpt2, PAIRS, "safe", "test").shape == (2, 4, 32)


def test_a_family_without_the_projections_that_adapters_change_says_so(gpt2: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"GPT2LMHeadModel has none of the layers that adapters change \(q_proj, .*\); it has c_"):
        finetune(gpt2, encode(gpt2, PAIRS, "unsafe"), LORA, {1: tmp_path / "of"}, "test")
