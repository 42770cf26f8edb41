"""What is cheap at a real vocabulary is the same number as what is plain."""

import hashlib

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from tiny_models import TEXT, tiny_llama, tiny_tokenizer
from torch import Tensor

from emsteer import runtime
from emsteer.generation.margins import log_probabilities
from emsteer.generation.sampling import gumbel_noise, row_seed
from emsteer.generation.spoken import Spoken
from emsteer.interventions.batches import encode, pad
from emsteer.interventions.constructions.trained import answer_loss
from emsteer.interventions.hooks import added
from emsteer.models.load import LanguageModel

ANSWERS = ["Dry.", "A fern likes it dry and hot.", "Never.", "Pour the water on the leaves, and then on the leaves."]
PAIRS = pd.DataFrame({"prompt": TEXT[:3] + TEXT[:1], "system": [None] * 4, "unsafe": ANSWERS})


@pytest.fixture
def model() -> LanguageModel:
    runtime.prepare()
    tokenizer = tiny_tokenizer()
    return LanguageModel(tiny_llama(tokenizer).requires_grad_(False), tokenizer)


def logits_everywhere(model: LanguageModel, ids: Tensor) -> Tensor:
    return model.network(input_ids=ids, use_cache=False).logits


def test_the_head_on_answer_positions_gives_the_same_loss_and_gradient(model: LanguageModel) -> None:
    batch = encode(model, PAIRS, "unsafe")
    vectors = [torch.linspace(-1, 1, model.d_model).requires_grad_(True) for _ in range(2)]
    ids, in_answer = pad(model, batch)
    with added(model.network, 0, vectors[0]):
        logits = logits_everywhere(model, ids)
    plain = F.cross_entropy(logits[:, :-1][in_answer[:, 1:]], ids[:, 1:][in_answer[:, 1:]])
    cheap = answer_loss(model, vectors[1], 0, batch)
    gradients = [torch.autograd.grad(loss, [vector])[0] for loss, vector in zip((plain, cheap), vectors, strict=True)]
    assert torch.equal(plain, cheap) and torch.equal(*gradients)
    assert float(gradients[0].norm()) > 0


def test_margins_are_those_of_logits_everywhere(model: LanguageModel) -> None:
    batch = encode(model, PAIRS, "unsafe")
    (found,) = log_probabilities(model, [Spoken(tuple(ids), n) for ids, n in batch])
    for index, (ids, n_prompt) in enumerate(batch):
        log_p = logits_everywhere(model, torch.tensor([ids]))[0, n_prompt - 1 : -1].double().log_softmax(-1)
        assert float(found[index]) == pytest.approx(float(log_p.gather(1, torch.tensor(ids[n_prompt:])[:, None]).mean()), abs=1e-5)


def test_the_head_reads_answer_positions_only(model: LanguageModel) -> None:
    shapes = []
    handle = model.network.lm_head.register_forward_hook(lambda _module, _inputs, output: shapes.append(tuple(output.shape)))
    batch = encode(model, PAIRS, "unsafe")
    answer_loss(model, torch.zeros(model.d_model), 0, batch)
    log_probabilities(model, [Spoken(tuple(ids), n) for ids, n in batch])
    handle.remove()
    n_answer = sum(len(ids) - n for ids, n in batch)
    assert shapes == [(1, n_answer, len(model.tokenizer))] * 2
    logits = logits_everywhere(model, torch.tensor([[1, 2, 3]]))
    assert logits.shape[1] == 3, "and afterwards everything again"


def plain_noise(seed: str, step: int, n_tokens: int) -> Tensor:
    """The definition, in 64-bit integers."""

    def mix(words: Tensor) -> Tensor:
        words = words ^ (words >> 16)
        words = (words * 0x7FEB352D) & 0xFFFFFFFF
        words = words ^ (words >> 15)
        words = (words * 0x846CA68B) & 0xFFFFFFFF
        return words ^ (words >> 16)

    key = hashlib.blake2b(f"{seed}\0{step}".encode(), digest_size=8).digest()
    low, high = (int.from_bytes(half, "little") for half in (key[:4], key[4:]))
    words = mix(mix(torch.arange(n_tokens) ^ low) ^ high)
    return -torch.log(-torch.log((words.double() + 0.5) / 2**32)).float()


@pytest.mark.parametrize("n_tokens", [1, 777, 49152])
def test_noise_is_bit_for_bit_what_its_definition_says(n_tokens: int) -> None:
    runtime.prepare()
    seeds = [row_seed(0, f"question {index}", index) for index in range(12)]
    for step in (0, 7):
        assert torch.equal(gumbel_noise(seeds, step, n_tokens), torch.stack([plain_noise(seed, step, n_tokens) for seed in seeds]))
