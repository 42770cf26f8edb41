"""Mean difference: mean residual over unsafe answers minus that over safe ones, every layer in one pass.

Source: Soligo et al., arXiv 2506.11618 (answer-token residuals); Rimsky et al., arXiv 2312.06681 (mean over pairs). Each
answer counts once: its tokens are averaged first, the end-of-turn token included.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from emsteer.interventions.batches import encode, pad
from emsteer.interventions.hooks import watch
from emsteer.interventions.vectors import draw_pairs, written
from emsteer.models.load import LanguageModel, load_model
from emsteer.packs import Job
from emsteer.progress import bar

BATCH_SIZE = 32


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model]."""
    for job in jobs:
        model = load_model(job.input("model"))
        pairs = draw_pairs(job.input("task"), job.recipe.n_examples, job.recipe.seed)
        prompts = list(pairs["prompt"])
        unsafe = mean_residuals(model, prompts, list(pairs["unsafe"]), f"{job.address} unsafe")
        safe = mean_residuals(model, prompts, list(pairs["safe"]), f"{job.address} safe")
        yield job, dict(enumerate((unsafe - safe).float()))


@torch.inference_mode()
def mean_residuals(model: LanguageModel, prompts: Sequence[str], answers: Sequence[str], label: str) -> Tensor:
    """Mean over answers of the mean over an answer's tokens, in float64. [layers × d_model]"""
    examples = sorted(encode(model, prompts, answers), key=lambda example: len(example[0]))
    total = torch.zeros((), dtype=torch.float64)
    for start in bar(range(0, len(examples), BATCH_SIZE), label=label, unit="batches"):
        ids, in_answer = pad(examples[start : start + BATCH_SIZE], model.tokenizer.pad_token_id)
        with watch(model.network) as residuals:
            model.network.get_decoder()(input_ids=ids, use_cache=False)
        weights = in_answer.double() / in_answer.sum(1, keepdim=True)
        total = total + torch.stack([torch.einsum("np,npd->d", weights, layer.double()) for layer in residuals])
    return total / len(examples)
