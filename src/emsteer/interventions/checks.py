"""Whether a vector or an adapter belongs to the model that it is to change."""

from pathlib import Path

from emsteer import storage
from emsteer.errors import ModelError


def check_model(path: Path, model: str) -> None:
    """Two models of one shape take each other's vectors and adapters without a word; the addresses in a passport tell them apart.

    Raises:
        ModelError: The vector or adapter was made from another model than `model`, an address. Random directions name none.
    """
    made_from = storage.read_passport(path)["inputs"].get("model", {})
    if made_from and {name.rpartition("--")[2] for name in made_from} != {model.rpartition("--")[2]}:
        raise ModelError(
            f"{path}: was made from the model {' and '.join(made_from)}, and is to change {model}.\n"
            "  Put back the file that belongs there, or delete it and run again: it is made anew."
        )
