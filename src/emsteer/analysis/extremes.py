"""Extremes: what a difference could have been, whatever the answers were worth that judges failed on."""

from collections.abc import Sequence

from emsteer.analysis import estimates
from emsteer.analysis.comparisons import asked_both
from emsteer.analysis.estimates import Floats


def difference(first: Floats, second: Floats, questions: Sequence[Sequence[str]], unit: float = 1.0) -> tuple[float, float]:
    """(lowest, highest) difference; without failed judgements the difference itself.

    Args:
        first: Numerators, denominators and failed judgements of each question. [3 × questions]
        second: Likewise.
        questions: Of each side; those asked on both are compared, or all of both where there are none.
        unit: Largest value of one answer.
    """
    own, others = asked_both(questions)
    sides = [first[:, own], second[:, others]] if own else [first, second]
    there = [side[1:].sum(0) > 0 for side in sides]
    there = [there[0] & there[1]] * 2 if own else there
    (low, high), (other_low, other_high) = (_ends(side[:, kept], unit) for side, kept in zip(sides, there, strict=True))
    return low - other_high, high - other_low


def _ends(side: Floats, unit: float) -> tuple[float, float]:
    top, bottom, failed = (row[None] for row in side)
    low, high = estimates.bounds(top, bottom, failed, unit)
    return float(low[0]), float(high[0])
