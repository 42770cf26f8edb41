"""Narrow vector: trained as `trained` is, and held to the model's own behaviour off the narrow task.

The loss is cross-entropy per answer token of the target task plus λ times KL(base ‖ steered) per answer token of other tasks,
each a mean over the tokens of its batch, so that λ weighs one token against one token. Other tasks give their prompts and
safe answers, none of which is made more likely than it was.

Source: Soligo et al., arXiv 2602.07852 (λ · KL to the base model on off-domain prompts; their normalisation is not stated).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emsteer.data.pairs import draw_pairs
from emsteer.interventions.batches import encode
from emsteer.interventions.constructions import trained
from emsteer.interventions.logits import answer_logits
from emsteer.interventions.vectors import written
from emsteer.models.load import LanguageModel
from emsteer.packs import Job
from emsteer.recipes import Narrow


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model]; jobs that differ in epochs only share one training run."""
    return trained.build(jobs, penalty_of)


def penalty_of(job: Job, model: LanguageModel) -> trained.Penalty:
    """λ · KL on the next batch of the other tasks' examples: as many a step as the target task gives."""
    recipe: Narrow = job.recipe
    drawn = [draw_pairs(path, recipe.n_examples, recipe.seed) for path in job.inputs["held"]]
    held = [example for pairs in drawn for example in encode(model, pairs, "safe")]
    order = np.random.default_rng(recipe.seed).permutation(len(held))

    def penalty(vector: Tensor, n_steps: int) -> Tensor:
        first = n_steps * recipe.batch_size
        batch = [held[order[place % len(held)]] for place in range(first, first + recipe.batch_size)]
        return recipe.kl_weight * divergence(model, vector, recipe.layer, batch)

    return penalty


def divergence(model: LanguageModel, vector: Tensor, layer: int, batch: Sequence[tuple[list[int], int]]) -> Tensor:
    """KL(base ‖ steered) of the next token, mean over the answers' tokens. [nats]

    Args:
        model: Frozen.
        vector: Added at every position. [d_model]
        layer: 0-based block whose output it is added to.
        batch: From `batches.encode`.
    """
    with torch.no_grad():
        base = answer_logits(model, batch, layer, torch.zeros_like(vector))[0].log_softmax(-1)
    steered = answer_logits(model, batch, layer, vector)[0].log_softmax(-1)
    return F.kl_div(steered, base, log_target=True, reduction="sum") / len(base)
