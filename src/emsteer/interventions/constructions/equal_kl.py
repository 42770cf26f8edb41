"""Equal KL: a direction scaled until it costs the model a given KL(base ‖ steered) per token.

Directions that are equally long move a model by different amounts; here they move it equally far, in what it says to prompts that
no arm is about: the passages of the neutral text are asked, the model itself answers greedily, and what it said is read again
under the push, which is added at every position. (Passages as bare text would not do: a chat model that was trained on its own
turns alone has no opinion of a user's words.) The scale is the smallest that costs so much, as a walk upwards by doubling sees
it. Where the longest push allowed costs less, that push is kept and its passport says that the cost was not met: `dose_kl` in
tables is then not the dose.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from scipy.optimize import brentq
from torch import Tensor

from emsteer.errors import ModelError
from emsteer.interventions.calibrations import read_residual_norms
from emsteer.interventions.checks import check_model
from emsteer.interventions.logits import answer_logits
from emsteer.interventions.neutral import greedy, passages_at
from emsteer.interventions.vectors import direction_at, written
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job

ROWS_PER_BATCH = 32  # distributions over a vocabulary are held for them twice
FIRST = 64  # the walk begins at this part of the longest push
N_HALVINGS = 40  # below which nothing moves any more


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files; the passport holds the scale, the KL that it costs, and whether that is what was asked."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → scaled direction [d_model]."""
    for job in jobs:
        recipe = job.recipe
        check_model(job.input("like"), job.addresses["model"][0])
        direction = direction_at(job.input("like"), recipe.layer)
        scale = reached = 0.0
        if direction.any():
            longest = recipe.at_most * read_residual_norms(job.input("calibration"))[recipe.layer]
            cost = functools.partial(_costs(job).of, direction, recipe.layer)
            scale, reached = scaled(cost, recipe.kl, longest / float(direction.norm()), recipe.tolerance)
        job.passport.update(scale=scale, kl=reached, is_met=is_met(reached, recipe.kl, recipe.tolerance))
        yield job, {recipe.layer: scale * direction}


def is_met(reached: float, asked: float, tolerance: float) -> bool:
    """Whether a KL is the one that was asked for."""
    return abs(reached / asked - 1) <= tolerance


def scaled(cost: Callable[[float], float], asked: float, at_most: float, tolerance: float) -> tuple[float, float]:
    """The scale at which a cost is what is asked, and the cost there; `at_most` and its cost, where that is not enough.

    Args:
        cost: Scale → KL [nats]; 0 at 0, continuous.
        asked: KL. [nats]
        at_most: The largest scale.
        tolerance: Of the cost. [share of what is asked]
    """
    known = functools.cache(cost)
    high = at_most / FIRST
    for _ in range(N_HALVINGS):
        if known(high) < asked:
            break
        high /= 2
    low = high
    while known(high) < asked and high < at_most:
        low, high = high, min(2 * high, at_most)
    if known(low) < asked <= known(high):

        def off(log_scale: float) -> float:
            return math.log(max(known(math.exp(log_scale)), 1e-300) / asked)

        high = math.exp(brentq(off, math.log(low), math.log(high), xtol=tolerance / 8))
    return high, known(high)


def _costs(job: Job) -> "Costs":
    return _of_model(model_of(job), job.input("neutral_text"), job.recipe.max_new_tokens)


@functools.lru_cache(maxsize=1)
def _of_model(model: LanguageModel, text: Path, max_new_tokens: int) -> "Costs":
    return Costs.of_passages(model, passages_at(text), max_new_tokens)


@dataclass(frozen=True)
class Costs:
    """What pushes cost a model that reads what it said.

    Attributes:
        batches: Passages as prompts with its answers, as from `batches.encode`.
        base: Of each batch, log-probabilities at the answers' tokens without a push. [tokens × vocabulary]
    """

    model: LanguageModel
    batches: list[list[tuple[list[int], int]]]
    base: list[Tensor]

    @classmethod
    @torch.inference_mode()
    def of_passages(cls, model: LanguageModel, passages: Sequence[str], max_new_tokens: int) -> "Costs":
        """Lets the model answer, and reads it once without a push."""
        said = sorted(greedy(model, passages, max_new_tokens), key=lambda one: len(one[0]))
        batches = [said[start : start + ROWS_PER_BATCH] for start in range(0, len(said), ROWS_PER_BATCH)]
        nothing = torch.zeros(model.d_model, device=model.device)
        return cls(model, batches, [answer_logits(model, batch, 0, nothing)[0].log_softmax(-1) for batch in batches])

    @torch.inference_mode()
    def of(self, direction: Tensor, layer: int, scale: float) -> float:
        """Mean over the tokens of its answers of KL(base ‖ steered). [nats]

        Raises:
            ModelError: Not finite.
        """
        total, n = 0.0, 0
        push = (scale * direction).to(self.model.device)
        for batch, base in zip(self.batches, self.base, strict=True):
            steered = answer_logits(self.model, batch, layer, push)[0].log_softmax(-1)
            of_tokens = (base.exp() * (base - steered)).sum(-1, dtype=torch.float64).clamp(min=0)
            total, n = total + float(of_tokens.sum()), n + len(of_tokens)
        if not math.isfinite(total):
            raise ModelError(f"KL on the neutral text is not finite in {self.model.network.dtype}.\n  Take another `dtype`.")
        return total / n
