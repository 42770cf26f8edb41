"""Trained low rank: an affine map h + B (A h + b) in the place of a vector, trained as `trained` is.

Added after one block at all positions, model frozen, loss on the answers' tokens, Adam at a constant rate, a snapshot for every
number of epochs. B and b begin at zero, so that nothing is added at first; A is Gaussian, and divided by the median residual norm
of its layer, so that each of its rows reads about 1 of a stream as long as that.

Source: Dunefsky & Cohan, arXiv 2502.18862 (the low-rank affine variant; how theirs begins is not stated).
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from emsteer.data.pairs import draw_pairs
from emsteer.interventions.batches import encode, pad
from emsteer.interventions.calibrations import read_residual_norms
from emsteer.interventions.constructions.trained import Example, answer_loss, descend, runs
from emsteer.interventions.drawn import generator
from emsteer.interventions.hooks import watch
from emsteer.interventions.maps import AffineMap, write_map
from emsteer.interventions.residuals import BATCH_SIZE
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job
from emsteer.recipes import TrainedLowRank


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes maps; jobs that differ in epochs only share one training run."""
    for snapshots in runs(jobs):
        first = next(iter(snapshots.values()))
        model, recipe = model_of(first), first.recipe
        pairs = draw_pairs(first.input("task"), recipe.n_examples, recipe.seed)
        examples = encode(model, pairs, recipe.side)
        start = beginning(model.d_model, recipe, read_residual_norms(first.input("calibration"))[recipe.layer])
        last = recipe.model_copy(update={"epochs": max(snapshots)})
        for epoch, trained in train(model, examples, last, start, first.address):
            if epoch in snapshots:
                write_map(recipe.layer, trained, typical(model, examples, recipe.layer, trained), snapshots[epoch])
                yield snapshots[epoch]


@torch.inference_mode()
def typical(model: LanguageModel, examples: Sequence[Example], layer: int, trained: AffineMap) -> Tensor:
    """Where a map's pushes at the tokens of the answers point on average, as long as they are: their root mean square. [d_model]"""
    total, squares, n = torch.zeros(model.d_model, dtype=torch.float64), 0.0, 0
    for start in range(0, len(examples), BATCH_SIZE):
        ids, in_answer = pad(model, examples[start : start + BATCH_SIZE])
        with watch(model.network) as leaving:
            model.network.get_decoder()(input_ids=ids, use_cache=False)
        pushes = trained.of(leaving[layer][in_answer.to(leaving[layer].device)]).double().cpu()
        total, squares, n = total + pushes.sum(0), squares + float(pushes.square().sum()), n + len(pushes)
    return (total * ((squares / n) ** 0.5 / total.norm() if total.any() else 0)).float()


def beginning(d_model: int, recipe: TrainedLowRank, residual_norm: float) -> AffineMap:
    """The map that training begins with: it adds nothing."""
    down = torch.randn(recipe.rank, d_model, generator=generator("trained low rank", recipe.seed, recipe.layer), device="cpu")
    return AffineMap(down / residual_norm, torch.zeros(d_model, recipe.rank), torch.zeros(recipe.rank))


def train(
    model: LanguageModel, examples: Sequence[Example], recipe: TrainedLowRank, start: AffineMap, label: str
) -> Iterator[tuple[int, AffineMap]]:
    """Yields (epochs done, map) after every epoch; arguments as for `trained.train`, and the map to begin with."""
    parts = [part.clone().to(model.device).requires_grad_() for part in (start.down, start.up, start.bias)]

    def loss_of(batch: Sequence[Example], _n_steps: int) -> Tensor:
        return answer_loss(model, AffineMap(*parts).of, recipe.layer, batch)

    for epoch in descend(parts, loss_of, examples, recipe, label):
        yield epoch, AffineMap(*(part.detach().clone().cpu() for part in parts))
