"""Progress on the screen: a bar on a terminal, a line every few seconds elsewhere."""

import sys
from collections.abc import Iterable

from tqdm import tqdm


def bar(items: Iterable | None = None, *, total: int | None = None, label: str, unit: str) -> tqdm:
    """A tqdm bar on stderr; about one refresh a second on a terminal, one every five seconds in a file."""
    seconds = 1.0 if sys.stderr.isatty() else 5.0
    return tqdm(
        items, total=total, desc=label, unit=f" {unit}", mininterval=seconds, maxinterval=seconds, dynamic_ncols=True, leave=True
    )
