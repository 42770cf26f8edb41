"""Progress: a bar on a terminal; a line every few seconds elsewhere, and in the log of the job."""

import io
import logging
import sys
import time
from collections.abc import Iterable

from tqdm import tqdm

LINE_S, BAR_S = 5.0, 1.0  # between two lines, two refreshes of a bar
LINE = "{desc}: {n_fmt} of {total_fmt}{unit} ({percentage:.0f} %) in {elapsed}, {remaining} to go, {rate_fmt}{postfix}"
log = logging.getLogger("emsteer.progress")


class Progress(tqdm):
    """A tqdm bar whose state is logged as a line, too; the line alone where stderr is no terminal."""

    def __init__(self, items: Iterable | None = None, *, total: int | None = None, label: str, unit: str) -> None:
        self._bar, self._told_at, self._complete = sys.stderr.isatty(), time.monotonic(), False
        where = {"dynamic_ncols": True} if self._bar else {"file": Nowhere()}
        seconds = BAR_S if self._bar else LINE_S
        super().__init__(items, total=total, desc=label, unit=f" {unit}", mininterval=seconds, maxinterval=seconds, **where)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Called by tqdm whenever something is due, and at the end."""
        done = self.n == self.total
        if not self._complete and (done or time.monotonic() - self._told_at >= LINE_S):
            self._told_at, self._complete = time.monotonic(), done
            log.info("%s", self.format_meter(**{**self.format_dict, "bar_format": LINE, "ncols": None}))
        if self._bar:
            super().display(msg, pos)


class Nowhere(io.TextIOBase):
    """Where a bar is drawn that nobody sees."""

    def write(self, text: str) -> int:
        """Forgets it."""
        return len(text)


def bar(items: Iterable | None = None, *, total: int | None = None, label: str, unit: str) -> Progress:
    """Progress over `items`, or to `total` by its `update`."""
    return Progress(items, total=total, label=label, unit=unit)


def off_the_screen(record: logging.LogRecord) -> bool:
    """A filter of what a screen gets: lines of progress only where it has no bar."""
    return record.name != log.name or not sys.stderr.isatty()
