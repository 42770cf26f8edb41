"""What vectors cost beside bare passes of Hugging Face over the same texts: `make bench-vectors`.

Extraction (mean residuals over answers, of every layer) beside forward passes without a head, and vector training (Adam,
loss on the answers) beside forward and backward passes with the model's own loss, its gradient taken for a vector added by a hook.
Both read batches that are padded alike, under `runtime.prepare`: deterministic algorithms, one thread. Arms take turns in
one process; numbers are medians, of seconds on a card and of CPU-seconds on a CPU.
"""

import argparse
from collections.abc import Callable
from statistics import median

import torch
from bench_engine import now
from engine_arms import REAL, SHAPES, build
from torch import nn

from emsteer import runtime
from emsteer.interventions.batches import pad
from emsteer.interventions.constructions.trained import train
from emsteer.interventions.residuals import BATCH_SIZE, mean_residuals
from emsteer.models.blocks import decoder_blocks
from emsteer.models.load import LanguageModel
from emsteer.recipes import Trained

N_EXAMPLES, N_PROMPT, N_ANSWER = 64, (16, 48), (16, 48)
IGNORED = -100  # labels of tokens that have no loss, as transformers has it
Example = tuple[list[int], int]


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", choices=[*SHAPES, *REAL], default=["tiny", "50m", "smollm2"])
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    runtime.prepare()
    print(f"{'model':<10}{'extraction':>12}{'of bare':>10}{'training':>12}{'of bare':>10}   [tokens/s, and seconds as a multiple]")
    for shape in arguments.shape:
        model = build(shape, getattr(torch, arguments.dtype), torch.device(arguments.device))
        model.network.requires_grad_(False)
        examples = texts(model)
        arms = (extraction, bare_forward, training, bare_backward)
        for arm in arms:
            arm(model, examples)  # kernels are chosen, pages are mapped
        seconds = {arm: [] for arm in arms}
        for _ in range(arguments.rounds):
            for arm in arms:
                seconds[arm].append(timed(model, examples, arm))
        taken = {arm: median(found) for arm, found in seconds.items()}
        n_tokens = sum(len(ids) for ids, _ in examples)
        extracted, trained = taken[extraction] / taken[bare_forward], taken[training] / taken[bare_backward]
        speeds = n_tokens / taken[extraction], n_tokens / taken[training]
        print(f"{shape:<10}{speeds[0]:>12,.0f}{extracted:>10.2f}{speeds[1]:>12,.0f}{trained:>10.2f}", flush=True)


def texts(model: LanguageModel) -> list[Example]:
    """Random prompts and answers of all lengths, in an order that is their own."""
    generator = torch.Generator().manual_seed(3)
    n_words = model.network.config.get_text_config(decoder=True).vocab_size

    def drawn(shortest: int, longest: int) -> list[int]:
        n = int(torch.randint(shortest, longest + 1, (1,), generator=generator))
        return torch.randint(4, n_words, (n,), generator=generator).tolist()

    prompts = [drawn(*N_PROMPT) for _ in range(N_EXAMPLES)]
    return [(prompt + drawn(*N_ANSWER), len(prompt)) for prompt in prompts]


def timed(model: LanguageModel, examples: list[Example], arm: Callable[[LanguageModel, list[Example]], None]) -> float:
    """[s]"""
    begin = now(model.device)
    arm(model, examples)
    return now(model.device) - begin


def extraction(model: LanguageModel, examples: list[Example]) -> None:
    """Ours."""
    mean_residuals(model, examples, "")


@torch.inference_mode()
def bare_forward(model: LanguageModel, examples: list[Example]) -> None:
    """Nothing is read of what passes."""
    by_length = sorted(examples, key=lambda example: len(example[0]))
    for start in range(0, len(by_length), BATCH_SIZE):
        ids, _ = pad(model, by_length[start : start + BATCH_SIZE])
        model.network.get_decoder()(input_ids=ids, use_cache=False)


def recipe_of(model: LanguageModel) -> Trained:
    """One epoch."""
    layer = len(decoder_blocks(model.network)) // 2
    return Trained(layer=layer, epochs=1, side="unsafe", n_examples=N_EXAMPLES, batch_size=8, learning_rate=0.01, seed=0)


def training(model: LanguageModel, examples: list[Example]) -> None:
    """Ours."""
    list(train(model, examples, recipe_of(model), ""))


def bare_backward(model: LanguageModel, examples: list[Example]) -> None:
    """The model's own loss and autograd: no optimizer, no logits but by the model's head as it is."""
    vector = nn.Parameter(torch.zeros(model.d_model, device=model.device, dtype=model.network.dtype))
    recipe = recipe_of(model)
    block = decoder_blocks(model.network)[recipe.layer]
    handle = block.register_forward_hook(lambda _module, _inputs, output: output + vector)
    for start in range(0, len(examples), recipe.batch_size):
        ids, in_answer = pad(model, examples[start : start + recipe.batch_size])
        labels = ids.masked_fill(~in_answer, IGNORED)
        model.network(input_ids=ids, labels=labels, use_cache=False).loss.backward()
    handle.remove()


if __name__ == "__main__":
    main()
