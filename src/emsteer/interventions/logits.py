"""What a frozen model says of given answers while something is added to its residual stream, differentiably."""

from collections.abc import Callable, Sequence

from torch import Tensor

from emsteer.interventions.batches import before, pad
from emsteer.interventions.hooks import added, head_reads
from emsteer.models.load import LanguageModel


def answer_logits(
    model: LanguageModel, batch: Sequence[tuple[list[int], int]], layer: int, vector: Tensor | Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Logits of the answers' tokens [tokens × vocabulary], float32, row by row, and the tokens that stand there [tokens].

    Args:
        model: Frozen.
        batch: From `batches.encode`.
        layer: 0-based block whose output is steered.
        vector: Added at every position [d_model]; or a function of the residual stream there, of which as much is added.
    """
    ids, in_answer = pad(model, batch)
    with added(model.network, layer, vector), head_reads(model.network, before(in_answer)):
        logits = model.network(input_ids=ids, use_cache=False).logits[0]
    return logits.float(), ids[in_answer]
