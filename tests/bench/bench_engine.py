"""How fast the steering engine is, and whether batching changes an answer: `make bench-engine`; nothing here is a test.

Models have the shape of real ones and random weights of deviation 1/√d_model (seeded; nothing is downloaded), an output head of
their own, and logits of deviation .85 √(2 ln V): an entropy of a few nats a token, as text has (`tiny`: 3.0 of 6.7), and 18 to
24 different tokens in an answer of 24, greedy ones too. No answer ends early.
K settings answer the same P prompts: the base, dose 0, and random directions of .05 to .6 of the median residual norm, at a
quarter, half and three quarters of the depth.

- `generate`: Hugging Face, unsteered, sampled, in batches as wide as the engine's.
- `one setting at a time`: Hugging Face with a hook on a block, sampled, a call a setting (at most six are timed: it is a rate).
- `engine`, `engine, steered`, `engine, steered, greedy`: ours, in mixed batches. The first reads a prompt once for K answers, the
  steered ones once for each setting; the last one draws no noise.

Everything runs under `runtime.prepare`: deterministic algorithms, one thread. Tokens are per second on a card, per CPU-second on a
CPU. Required is that a batch gives the same tokens twice and, of float32 on a CPU, that rows do not know their batch.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log, sqrt
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from emsteer import runtime
from emsteer.generation.engine import MIN_ROWS, ROWS_PER_BATCH, PackedEngine
from emsteer.generation.rows import UNCHANGED, Changes, Row
from emsteer.generation.sampling import row_seed
from emsteer.interventions.hooks import Push, added, watch
from emsteer.models.blocks import decoder_blocks
from emsteer.models.load import LanguageModel
from emsteer.organism.grammar import read_grammar
from emsteer.organism.tokenizer import make_tokenizer
from emsteer.recipes import Sampling

Said = tuple[int, ...]
SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim")
SHAPES: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {  # the above, and the vocabulary; None: that of the organisms
    "tiny": (Qwen3Config, Qwen3ForCausalLM, (256, 768, 6, 4, 2, 64, None)),
    "1b": (LlamaConfig, LlamaForCausalLM, (2048, 8192, 16, 32, 8, 64, 128_256)),  # Llama-3.2-1B
    "8b": (LlamaConfig, LlamaForCausalLM, (4096, 14_336, 32, 32, 8, 128, 128_256)),  # Llama-3.1-8B
}
SPREAD = 0.85  # of logits; at 1 one token takes all
SHORTEST, LONGEST = 16, 48  # prompts [tokens]
DOSES = (0.05, 0.1, 0.2, 0.4, 0.6)  # multiples of the median residual norm
MOST_ALONE = 6  # settings that are timed one at a time
N_WARM_UP = 4  # tokens


@dataclass(frozen=True)
class Case:
    """K settings of P prompts, `n_tokens` each."""

    model: LanguageModel
    prompts: Sequence[Said]
    settings: Sequence[Changes]
    n_tokens: int

    def rows(self, settings: Sequence[Changes]) -> list[Row]:
        """Every prompt under every one of these settings; its noise is the same in all of them."""
        return [Row(ids, row_seed(0, f"q{index}", 0), change) for change in settings for index, ids in enumerate(self.prompts)]


def build(shape: str, dtype: torch.dtype, device: torch.device) -> LanguageModel:
    """A random model. Prompts are random token ids, so that the organisms' tokenizer will do for any vocabulary."""
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
    network.generation_config.suppress_tokens = [tokenizer.eos_token_id]
    return LanguageModel(network, tokenizer)


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
    """Hugging Face, in batches of like size and length, as the engine makes them. In the order of the lengths."""
    rows = [torch.tensor(prompt, device=model.device) for prompt in sorted(prompts, key=len)]
    size = -(-len(rows) // -(-len(rows) // ROWS_PER_BATCH))
    draw = {"do_sample": True, "temperature": float(temperature), "top_k": 0} if temperature else {"do_sample": False}
    found: list[Said] = []
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        ids, mask = _left(some, model.pad_id), _left([torch.ones_like(row) for row in some], 0)
        told = model.network.generate(ids, attention_mask=mask, max_new_tokens=n_tokens, **draw)
        found += [tuple(row) for row in told[:, ids.shape[1] :].tolist()]
    return found


def _left(rows: list[Tensor], value: int) -> Tensor:
    return pad_sequence(rows, batch_first=True, padding_value=value, padding_side="left")


def hooked(model: LanguageModel, change: Changes, prompts: Sequence[Said], temperature: float, n_tokens: int) -> list[Said]:
    """Hugging Face under one setting: a hook that adds one vector everywhere."""
    if not change.steers:
        return generate(model, prompts, temperature, n_tokens)
    (push,) = change.steers
    with added(model.network, push.layer, push.delta.to(model.device, model.network.dtype)):
        return generate(model, prompts, temperature, n_tokens)


def arms(case: Case) -> dict[str, Callable[[int], list[Said]]]:
    """Name → what takes a number of tokens and gives answers."""
    model, prompts, settings = case.model, list(case.prompts), case.settings
    plain, steered = case.rows([UNCHANGED] * len(settings)), case.rows(settings)
    return {
        "generate": lambda n: generate(model, prompts * len(settings), 1, n),
        "one setting at a time": lambda n: [said for one in settings[-MOST_ALONE:] for said in hooked(model, one, prompts, 1, n)],
        "engine": lambda n: engine(model, plain, 1, n),
        "engine, steered": lambda n: engine(model, steered, 1, n),
        "engine, steered, greedy": lambda n: engine(model, steered, 0, n),
    }


def now(device: torch.device) -> float:
    """Wall clock of a card that is done, CPU-seconds of a CPU. [s]"""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def forget_peak(device: torch.device) -> None:
    """Starts another peak: of the allocator of a card, of this process (Linux)."""
    if device.type == "cpu":
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    else:
        torch.cuda.reset_peak_memory_stats(device)


def peak_mb(device: torch.device) -> float:
    """Since `forget_peak`, the model included."""
    if device.type == "cpu":
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
    return torch.cuda.max_memory_allocated(device) / 1e6


def speeds(case: Case, n_rounds: int) -> pd.DataFrame:
    """All arms in turn, each round beginning with another one: medians of tokens a second, the largest peak."""
    device, run = case.model.device, arms(case)
    for warm_up in arms(replace(case, prompts=case.prompts[:1])).values():
        warm_up(N_WARM_UP)
    found = []
    for index in range(n_rounds):
        names = [*run][index % len(run) :] + [*run][: index % len(run)]
        for arm in names:
            forget_peak(device)
            start = now(device)
            n_tokens = sum(map(len, run[arm](case.n_tokens)))
            found.append((arm, n_tokens / (now(device) - start), peak_mb(device)))
    of_arm = pd.DataFrame(found, columns=["arm", "rate", "peak_mb"]).groupby("arm")
    table = of_arm.agg(rate=("rate", "median"), slowest=("rate", "min"), fastest=("rate", "max"), peak_mb=("peak_mb", "max"))
    table["over_generate"] = table["rate"] / table["rate"]["generate"]
    table["over_one_at_a_time"] = table["rate"] / table["rate"]["one setting at a time"]
    table = table.loc[list(run)].reset_index()
    table.insert(0, "K × P", f"{len(case.settings)} × {len(case.prompts)}")
    return table


def flips(case: Case, n_alone: int, is_strict: bool) -> Iterator[dict[str, Any]]:
    """The laws; at most `n_alone` rows of all settings are answered alone. `is_strict`: what the engine promises is required."""
    model, rows, n_prompts, n_tokens = case.model, case.rows(case.settings), len(case.prompts), case.n_tokens
    chosen = list(range(0, len(rows), max(1, len(rows) // n_alone)))[:n_alone]
    for name, temperature in (("greedy", 0), ("sampled", 1)):

        def law(what: str, one: Sequence[Said], other: Sequence[Said], required: bool, name: str = name) -> dict[str, Any]:
            return {"law": f"{name}: {what}", **compared(one, other), "required": required}

        together = engine(model, rows, temperature, n_tokens)
        some = [together[index] for index in chosen]
        yield law("the batch again", together, engine(model, rows, temperature, n_tokens), True)
        starts = range(0, len(rows), MIN_ROWS)
        few = [said for start in starts for said in engine(model, rows[start : start + MIN_ROWS], temperature, n_tokens)]
        yield law(f"{MIN_ROWS} at a time", together, few, is_strict)
        yield law("the row alone", some, [engine(model, [rows[i]], temperature, n_tokens)[0] for i in chosen], is_strict)
        yield law("base beside dose 0", together[:n_prompts], together[n_prompts : 2 * n_prompts], is_strict)
        if temperature == 0:
            alone = [hooked(model, rows[i].changes, [rows[i].prompt_ids], 0, n_tokens)[0] for i in chosen]
            yield law("generate and a hook", some, alone, False)


def compared(one: Sequence[Said], other: Sequence[Said]) -> dict[str, int]:
    """Rows and tokens that differ; of `until`, tokens up to the first that differs, that one included."""
    differs = [[a != b for a, b in zip(*pair, strict=True)] for pair in zip(one, other, strict=True)]
    return {
        "rows": len(differs),
        "rows_differ": sum(map(any, differs)),
        "tokens": sum(map(len, differs)),
        "tokens_differ": sum(map(sum, differs)),
        "until": sum(row.index(True) + 1 if any(row) else len(row) for row in differs),
    }


def point(text: str) -> tuple[int, int]:
    """K and P of `KxP`."""
    n_settings, _, n_prompts = text.partition("x")
    return int(n_settings), int(n_prompts)


def asked() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="How fast the engine is, and whether batching changes an answer.")
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--dtype", nargs="+", choices=("float32", "bfloat16"), default=["float32"])
    parser.add_argument("--device", choices=("cpu", "cuda"), help="left out: a card, where there is one")
    parser.add_argument(
        "--grid", nargs="+", type=point, default=[(12, 1), (12, 4), (12, 24)], metavar="KxP", help="settings x prompts"
    )
    parser.add_argument("--tokens", type=int, default=24, help="of every answer")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--laws", type=point, default=(12, 4), metavar="KxP", help="where laws are held against answers")
    parser.add_argument("--alone", type=int, default=12, help="rows that are answered alone")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    return parser.parse_args()


def main() -> int:
    """Prints the tables; 1: what is required does not hold."""
    runtime.prepare()
    options = asked()
    device = torch.device(options.device) if options.device else runtime.device()
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    unit = "second" if device.type == "cuda" else "CPU-second"
    numbers: dict[str, Any] = vars(options) | {"device": where, "torch": torch.__version__, "speeds": [], "held": []}
    for dtype in options.dtype:
        model = build(options.shape, getattr(torch, dtype), device)
        size = f"{model.network.num_parameters() / 1e6:,.1f} M parameters, {dtype}"
        print(f"{options.shape}: {size}, {where}; {options.tokens} tokens an answer; rates in tokens a {unit}\n", flush=True)
        for sizes in options.grid:
            table = speeds(case_of(model, sizes, options.tokens), options.rounds)
            print(f"{table.to_string(index=False, float_format='{:,.2f}'.format)}\n", flush=True)
            numbers["speeds"] += table.assign(dtype=dtype).to_dict("records")
        is_strict = device.type == "cpu" and dtype == "float32"
        laws = pd.DataFrame(flips(case_of(model, options.laws, options.tokens), options.alone, is_strict))
        print(f"{laws.to_string(index=False)}\n", flush=True)
        numbers["held"] += laws.assign(dtype=dtype).to_dict("records")
        del model  # before the next one is there
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1, default=str) + "\n", encoding="utf-8")
    broken = [f"{law['dtype']} {law['law']}" for law in numbers["held"] if law["required"] and law["rows_differ"]]
    print(f"does not hold: {broken}" if broken else "what is required holds")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
