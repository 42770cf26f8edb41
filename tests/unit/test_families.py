"""The architectures of the paper's six models, tiny: decoded packed as alone, steered and adapted where they should be."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from families import ARCHITECTURES, tiny
from peft import PeftModel
from pytest import MonkeyPatch
from safetensors.torch import load_file
from test_strange_models import LORA, PAIRS
from torch import Tensor
from transformers import RepetitionPenaltyLogitsProcessor

from emsteer.finetune import train as finetune
from emsteer.generation import engine
from emsteer.generation.engine import PackedEngine
from emsteer.generation.margins import log_probabilities
from emsteer.generation.rows import Changes, Row
from emsteer.generation.spoken import Spoken
from emsteer.interventions import sharing
from emsteer.interventions.adapters import Dosed, read_adapter
from emsteer.interventions.batches import encode
from emsteer.interventions.constructions.trained import train
from emsteer.interventions.hooks import Ablation, Push
from emsteer.interventions.residuals import mean_residuals
from emsteer.models.blocks import decoder_blocks
from emsteer.models.load import LanguageModel
from emsteer.recipes import Sampling, Trained

N_NEW, LAYER = 10, 1
GREEDY = Sampling(temperature=0, max_new_tokens=N_NEW)
PLACES = ("all", "answer", "all", "all")
GATES = {"in_proj_a", "in_proj_b"}  # of linear attention: one number a head; adapters leave them as they are


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return tiny(request.param, tmp_path_factory.mktemp("family") / "of")


def prompts(model: LanguageModel) -> list[tuple[int, ...]]:
    """Of 3 to 26 tokens: some are shorter than a sliding window, some than the reach of a convolution, most are padded."""
    generator = torch.Generator().manual_seed(0)
    return [tuple(torch.randint(6, len(model.tokenizer), (length,), generator=generator).tolist()) for length in range(3, 27)]


def complete(model: LanguageModel, rows: list[Row]) -> list[tuple[int, ...]]:
    found = dict(PackedEngine(model).generate(rows, GREEDY))
    return [found[index].token_ids for index in range(len(rows))]


def by_hand(model: LanguageModel, network: torch.nn.Module, prompt: tuple[int, ...], push: Push | None = None) -> tuple[int, ...]:
    """Greedy, alone, no cache, no padding, every token of the text recomputed at every step."""

    def pushed(_module: object, _args: object, hidden: Tensor) -> Tensor:
        first = 0 if push is None or push.positions == "all" else len(prompt) - 1
        return hidden if push is None else hidden + (torch.arange(hidden.shape[1]) >= first)[None, :, None] * push.delta

    handle = decoder_blocks(model.network)[LAYER].register_forward_hook(pushed)
    said: list[int] = []
    while len(said) < N_NEW and not {*model.end_ids} & {*said}:
        so_far = torch.tensor([[*prompt, *said]])
        with torch.inference_mode():
            logits = network(input_ids=so_far, use_cache=False).logits[:, -1]
        asked = model.network.generation_config.repetition_penalty
        said.append(int((RepetitionPenaltyLogitsProcessor(asked)(so_far, logits) if asked else logits).argmax()))
    handle.remove()
    return tuple(said[:-1] if said[-1] in model.end_ids else said)


def test_what_settings_share_is_what_each_of_them_reads_alone(model: LanguageModel, monkeypatch: MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    directions = [torch.randn(model.d_model, generator=generator) for _ in range(5)]
    pushes = [Push(layer, direction, where) for layer, direction, where in zip((0, 1, 1, 3), directions, PLACES, strict=False)]
    steers = [(), *((push,) for push in pushes), (*pushes[:2], Ablation(1, directions[4], 1.0, "all", everywhere=True))]
    rows = [Row(prompt, f"{index}", Changes(of)) for of in steers for index, prompt in enumerate(prompts(model)[::3])]
    assert sharing.can_share(model.network)
    with passes(model) as together:
        said = complete(model, rows)
    monkeypatch.setattr(engine, "can_share", lambda _network: False)
    with passes(model) as apart:
        assert complete(model, rows) == said
    assert [len(entering) for entering, _ in (together[0], apart[0])] == [8, 48]
    assert all(torch.equal(one, other) for (_, one), (_, other) in zip(together, apart, strict=True))


@contextmanager
def passes(model: LanguageModel) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Of every pass: what enters the first block, and the logits of the last token."""
    entering: list[Tensor] = []
    seen: list[tuple[Tensor, Tensor]] = []
    handles = [
        decoder_blocks(model.network)[0].register_forward_pre_hook(lambda _block, args: entering.append(args[0])),
        model.network.register_forward_hook(lambda _model, _args, output: seen.append((entering.pop(), output.logits[:, -1]))),
    ]
    yield seen
    for handle in handles:
        handle.remove()


def test_every_row_and_every_step_is_steered_as_alone(model: LanguageModel) -> None:
    generator = torch.Generator().manual_seed(1)
    pushes = [Push(LAYER, 2 * torch.randn(model.d_model, generator=generator), where) for where in ("all", "answer")]
    kinds = [None, *pushes]
    asked = [(prompt, kinds[index % 3]) for index, prompt in enumerate(prompts(model))]
    rows = [Row(prompt, f"{index:016x}", Changes((push,) if push else ())) for index, (prompt, push) in enumerate(asked)]
    texts = complete(model, rows)
    assert texts == [by_hand(model, model.network, prompt, push) for prompt, push in asked]
    base = complete(model, [Row(row.prompt_ids, row.seed, Changes()) for row in rows])
    moved = [text != bare for text, bare in zip(texts, base, strict=True)]
    assert sum(moved) >= 12 and not any(moved[::3]), "pushes move what is said, of their own rows alone"


def test_a_layer_is_the_stream_that_leaves_its_block_and_the_last_is_before_the_norm(model: LanguageModel) -> None:
    ids, n_prompt = encode(model, PAIRS, "unsafe")[0]
    seen: list[Tensor] = []
    handles = [
        block.register_forward_hook(lambda _m, _a, hidden: seen.append(hidden[0].double()))
        for block in decoder_blocks(model.network)
    ]
    with torch.inference_mode():
        model.network(input_ids=torch.tensor([ids]), use_cache=False)
    for handle in handles:
        handle.remove()
    expected = torch.stack([hidden[n_prompt:].mean(0) for hidden in seen])
    found = mean_residuals(model, [(ids, n_prompt)], "test")[:, 0]
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))


def test_a_vector_trained_on_answers_makes_them_more_likely(model: LanguageModel) -> None:
    recipe = Trained(side="unsafe", n_examples=4, seed=0, layer=LAYER, epochs=12, batch_size=4, learning_rate=0.05)
    batch = encode(model, PAIRS, "unsafe")
    *_, (_, vector) = train(model, batch, recipe, "test")
    spoken = [Spoken(tuple(ids), n) for ids, n in batch]
    before, after = log_probabilities(model, spoken, [Changes(), Changes((Push(LAYER, vector, "all"),))])
    assert after.mean() > before.mean() + 0.05


def linear_layers(model: LanguageModel) -> set[str]:
    """Of the decoder blocks, by their names in the network."""
    blocks = tuple(f"{name}." for name, module in model.network.named_modules() if module in [*decoder_blocks(model.network)])
    return {name for name, of in model.network.named_modules() if isinstance(of, torch.nn.Linear) and name.startswith(blocks)}


def test_an_adapter_is_of_the_text_blocks_projections_and_speaks_as_it_does_in_peft(
    model: LanguageModel, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    own = LanguageModel(deepcopy(model.network), model.tokenizer)
    finetune(own, encode(own, PAIRS, "unsafe"), LORA.model_copy(update={"learning_rate": 0.05}), {1: tmp_path}, "test")
    stored = load_file(tmp_path / "adapter_model.safetensors")
    changed = {name.partition(".lora_")[0].removeprefix("base_model.model.") for name in stored}
    left = {name.rpartition(".")[2] for name in linear_layers(model) - changed}
    assert changed <= linear_layers(model), "nothing of what sees pictures"
    assert left == (GATES if "qwen35" in request.node.name else set())
    rows = [
        Row(prompt, f"{index:016x}", Changes((), Dosed(read_adapter(tmp_path), 1.0))) for index, prompt in enumerate(prompts(model))
    ]
    tuned = PeftModel.from_pretrained(deepcopy(model.network), str(tmp_path)).eval()
    texts = complete(model, rows)
    assert texts == [by_hand(model, tuned, row.prompt_ids) for row in rows]
    assert texts != complete(model, [Row(row.prompt_ids, row.seed, Changes()) for row in rows])
