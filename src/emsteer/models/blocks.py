"""Where the decoder blocks of a model are."""

from torch import nn
from transformers import PreTrainedModel

from emsteer.errors import ModelError

NAMES = ("layers", "h", "blocks")  # of the stack, in its family: `model.layers`, `transformer.h`, `transformer.blocks`
NOT_TEXT = ("visual", "vision", "audio", "encoder.")


def decoder_blocks(network: PreTrainedModel) -> nn.ModuleList:
    """The stack of decoder blocks; layer ℓ is the residual stream that leaves block ℓ, 0-based.

    Raises:
        ModelError: There is no such stack, or more than one.
    """
    n_layers = network.config.get_text_config(decoder=True).num_hidden_layers
    stacks = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.ModuleList)
        and name.rpartition(".")[2] in NAMES
        and len(module) == n_layers
        and not any(part in name for part in NOT_TEXT)
    }
    if len(stacks) != 1:
        found = ", ".join(stacks) or "none"
        raise ModelError(
            f"{type(network).__name__}: expected one stack of {n_layers} decoder blocks called {', '.join(NAMES)}, found {found}.\n"
            "  Teach `emsteer.models.blocks.decoder_blocks` where this family keeps them."
        )
    return next(iter(stacks.values()))
