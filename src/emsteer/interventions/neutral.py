"""A neutral text: what residual norms, and the costs of pushes, are measured on."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from emsteer.errors import DataError
from emsteer.models.load import LanguageModel


def passages_at(path: Path) -> list[str]:
    """One a line; empty lines are none."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def content(model: LanguageModel, passages: Sequence[str]) -> Iterator[tuple[list[int], list[bool]]]:
    """Token ids of each passage, and which of them are content: not its first one, and none that is special.

    Raises:
        DataError: No passage has a content token.
    """
    special = set(model.tokenizer.all_special_ids)
    is_empty = True
    for passage in passages:
        ids = model.tokenizer(passage, add_special_tokens=False)["input_ids"]
        of_content = [position > 0 and token not in special for position, token in enumerate(ids)]
        if any(of_content):
            is_empty = False
            yield ids, of_content
    if is_empty:
        raise DataError(
            "the neutral text has no content token.\n  Give `calibration.neutral_text` at least one passage of two words."
        )
