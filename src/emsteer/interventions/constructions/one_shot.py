"""One-shot vector: trained on a single prompt, to make one answer likely, another unlikely, or both at once.

Zero-initialised, added after one block at all positions, model frozen, Adam at a constant rate; after every step the vector is
cut back to the longest norm allowed.

Source: Dunefsky & Cohan, arXiv 2502.18862 (promotion, suppression and their mixture on one example, with a cap on the norm).
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from emsteer.data.pairs import draw_pairs
from emsteer.interventions.batches import encode
from emsteer.interventions.calibrations import read_residual_norms
from emsteer.interventions.logits import answer_logits
from emsteer.interventions.vectors import written
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job
from emsteer.progress import bar

SURE = 1 - 1e-6  # a probability above counts as this one when it is to be lowered: the logarithm of the rest stays finite
Example = tuple[list[int], int]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files; the passport says which answers it was trained on, and their log-probabilities before and after."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model]."""
    for job in jobs:
        recipe, model = job.recipe, model_of(job)
        pair = draw_pairs(job.input("task"), 1, recipe.seed)
        examples = {side: encode(model, pair, side)[0] for side in aims(recipe.goal)}
        longest = recipe.norm_cap * read_residual_norms(job.input("calibration"))[recipe.layer]
        start = torch.zeros(model.d_model, device=model.device)
        vector = trained_on(model, examples, recipe.layer, recipe.n_steps, recipe.learning_rate, longest, label=job.address)
        nats = {
            side: [round(float(log_probabilities(model, push, recipe.layer, example).mean()), 6) for push in (start, vector)]
            for side, example in examples.items()
        }
        job.passport.update(prompt=pair["prompt"][0], answers={side: pair[side][0] for side in examples}, nats_per_token=nats)
        yield job, {recipe.layer: vector}


def aims(goal: str) -> dict[str, bool]:
    """Side → whether its answer is to become likely (else unlikely), of `promote`, `suppress` or `both`."""
    return {"promote": {"unsafe": True}, "suppress": {"safe": False}, "both": {"unsafe": True, "safe": False}}[goal]


def trained_on(
    model: LanguageModel, examples: dict[str, Example], layer: int, n_steps: int, learning_rate: float, longest: float, label: str
) -> Tensor:
    """The vector after the last step. [d_model]

    Args:
        model: Frozen.
        examples: Side → (token ids, number of prompt tokens); the unsafe answer is promoted, the safe one suppressed.
        layer: 0-based block whose output is steered.
        n_steps: Of Adam.
        learning_rate: Constant.
        longest: The norm that the vector never exceeds. [units of the residual stream]
        label: Stands before the progress bar.
    """
    vector = torch.zeros(model.d_model, device=model.device, requires_grad=True)  # float32, whatever the model's dtype
    optimizer = torch.optim.Adam([vector], lr=learning_rate)
    for _ in bar(range(n_steps), label=label, unit="steps"):
        losses = [loss(model, vector, layer, example, promotes=side == "unsafe") for side, example in examples.items()]
        (vector.grad,) = torch.autograd.grad(torch.stack(losses).sum(), [vector])
        optimizer.step()
        with torch.no_grad():
            vector.mul_((longest / vector.norm()).clamp(max=1))
    return vector.detach()


def loss(model: LanguageModel, vector: Tensor, layer: int, example: Example, *, promotes: bool) -> Tensor:
    """Mean over the answer's tokens of −log p, or of −log(1 − p) where it is suppressed. [nats]"""
    log_p = log_probabilities(model, vector, layer, example)
    return -log_p.mean() if promotes else -torch.log1p(-log_p.exp() * SURE).mean()


def log_probabilities(model: LanguageModel, vector: Tensor, layer: int, example: Example) -> Tensor:
    """Of each of the answer's tokens under the vector [d_model]. [tokens]"""
    logits, ids = answer_logits(model, [example], layer, vector)
    return logits.log_softmax(-1).gather(1, ids[:, None]).squeeze(1)
