"""Trained vector: what, added to the residual stream, makes the answers of one side likely.

Zero-initialised, added after one block at all positions, model frozen, loss on the answers' tokens. A snapshot is
kept for every number of epochs that the study asks for.

Source: Soligo et al., arXiv 2602.07852; the optimised vectors of Dunefsky & Cohan, arXiv 2502.18862.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emsteer.data.pairs import draw_pairs
from emsteer.interventions.batches import encode
from emsteer.interventions.logits import answer_logits
from emsteer.interventions.vectors import written
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job
from emsteer.progress import bar
from emsteer.recipes import Trained

Example = tuple[list[int], int]
Penalty = Callable[[Tensor, int], Tensor]  # (vector, steps done) → what is added to the loss


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files."""
    return written(build(jobs))


def build(
    jobs: Sequence[Job], penalty_of: Callable[[Job, LanguageModel], Penalty] | None = None
) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model]; jobs that differ in epochs only share one training run."""
    for snapshots in runs(jobs):
        first = next(iter(snapshots.values()))
        model = model_of(first)
        pairs = draw_pairs(first.input("task"), first.recipe.n_examples, first.recipe.seed)
        examples = encode(model, pairs, first.recipe.side)
        last = first.recipe.model_copy(update={"epochs": max(snapshots)})
        penalty = penalty_of(first, model) if penalty_of else None
        for epoch, vector in train(model, examples, last, first.address, penalty):
            if epoch in snapshots:
                yield snapshots[epoch], {last.layer: vector}


def runs(jobs: Sequence[Job]) -> Iterator[dict[int, Job]]:
    """Epochs → job, of jobs that differ in nothing else."""

    def run_of(job: Job) -> str:
        return repr((job.recipe.model_copy(update={"epochs": 1}), job.inputs))

    for _, group in groupby(sorted(jobs, key=run_of), key=run_of):
        yield {job.recipe.epochs: job for job in group}


def train(
    model: LanguageModel, examples: Sequence[Example], recipe: Trained, label: str, penalty: Penalty | None = None
) -> Iterator[tuple[int, Tensor]]:
    """From zero, by `descend`.

    Args:
        model: Frozen.
        examples: From `batches.encode`.
        recipe: Layer, and what `descend` reads.
        label: Stands before the progress bar.
        penalty: Is added to the loss.

    Yields:
        (epochs done, vector [d_model]) after every epoch.
    """
    vector = torch.zeros(model.d_model, device=model.device, requires_grad=True)  # float32, whatever the model's dtype

    def loss_of(batch: Sequence[Example], n_steps: int) -> Tensor:
        loss = answer_loss(model, vector, recipe.layer, batch)
        return loss + penalty(vector, n_steps) if penalty else loss

    for epoch in descend([vector], loss_of, examples, recipe, label):
        yield epoch, vector.detach().clone()


def descend(
    parameters: Sequence[Tensor],
    loss_of: Callable[[Sequence[Example], int], Tensor],
    examples: Sequence[Example],
    recipe: Trained,
    label: str,
) -> Iterator[int]:
    """Adam at a constant rate, so that a shorter run is the beginning of a longer one.

    Args:
        parameters: What is trained, in place.
        loss_of: (batch, steps done) → loss.
        examples: From `batches.encode`.
        recipe: Epochs, batch size, learning rate, and the seed of the order.
        label: Stands before the progress bar.

    Yields:
        Epochs done, after every epoch.
    """
    optimizer = torch.optim.Adam(parameters, lr=recipe.learning_rate)
    n_steps = 0
    for epoch in bar(range(recipe.epochs), label=label, unit="epochs"):
        order = np.random.default_rng((recipe.seed, epoch)).permutation(len(examples))
        for start in range(0, len(order), recipe.batch_size):
            batch = [examples[index] for index in order[start : start + recipe.batch_size]]
            for parameter, gradient in zip(parameters, torch.autograd.grad(loss_of(batch, n_steps), parameters), strict=True):
                parameter.grad = gradient
            optimizer.step()
            n_steps += 1
        yield epoch + 1


def answer_loss(model: LanguageModel, vector: Tensor | Callable[[Tensor], Tensor], layer: int, batch: Sequence[Example]) -> Tensor:
    """Cross-entropy per answer token under what is added, as for `logits.answer_logits`. [nats]"""
    return F.cross_entropy(*answer_logits(model, batch, layer, vector))
