"""What answers look like in the residual stream."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from emsteer.interventions.batches import encode, pad
from emsteer.interventions.hooks import watch
from emsteer.models.load import LanguageModel
from emsteer.progress import bar

BATCH_SIZE = 32


def answer_residuals(model: LanguageModel, asked: pd.DataFrame, side: str, label: str) -> Tensor:
    """`mean_residuals` of the answers of one side; `asked` and `side` as for `batches.encode`."""
    return mean_residuals(model, encode(model, asked, side), label)


@torch.inference_mode()
def mean_residuals(model: LanguageModel, examples: Sequence[tuple[list[int], int]], label: str) -> Tensor:
    """Mean residual over each answer's tokens, its end-of-turn token included, float64. [layers × examples × d_model]

    Args:
        model: That reads them.
        examples: Token ids of prompt and answer, and how many are the prompt.
        label: Of the progress bar.
    """
    order = sorted(range(len(examples)), key=lambda index: len(examples[index][0]))
    found: list[Tensor] = []
    for start in bar(range(0, len(order), BATCH_SIZE), label=label, unit="batches"):
        ids, in_answer = pad(model, [examples[index] for index in order[start : start + BATCH_SIZE]])
        with watch(model.network) as residuals:
            model.network.get_decoder()(input_ids=ids, use_cache=False)
        found.append(means_at(residuals, in_answer))
    by_length = torch.cat(found, dim=1)
    return by_length[:, torch.tensor(order, device="cpu").argsort()]


def means_at(residuals: Sequence[Tensor], where: Tensor) -> Tensor:
    """Means over the positions of each row that are true in `where` [rows × positions], float64. [layers × rows × d_model]"""
    weights = where.double() / where.sum(1, keepdim=True)
    return torch.stack([torch.einsum("np,npd->nd", weights.to(layer.device), layer.double()).cpu() for layer in residuals])


def residuals_of_pairs(model: LanguageModel, pairs: pd.DataFrame, label: str) -> tuple[Tensor, Tensor]:
    """`answer_residuals` of the unsafe answers, and those of the safe ones. [layers × pairs × d_model] each"""
    unsafe, safe = (answer_residuals(model, pairs, side, f"{label} {side}") for side in ("unsafe", "safe"))
    return unsafe, safe
