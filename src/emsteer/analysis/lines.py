"""A line through points, by least squares, with Student's interval of its slope."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FEWEST = 3  # points that a line goes through
LINE = ("slope", "slope_low", "slope_high", "at_zero")


def through(x: NDArray[np.float64], y: NDArray[np.float64], level: float) -> dict[str, float | None]:
    """Slope, its interval and the height at zero; None where the points are too few, or all lie above one another.

    Args:
        x: Where the points lie. [points]
        y: Their heights. [points]
        level: Coverage that the interval aims at, by Student's t with two degrees of freedom fewer than there are points. Where
            all heights are the same nothing tells how far chance would move them: no interval.
    """
    if len(x) < FEWEST or np.ptp(x) < 1e-9:
        return dict.fromkeys(LINE)
    away = x - x.mean()
    slope = float(away @ y / (away @ away))
    at_zero = float(y.mean() - slope * x.mean())
    error = float(np.sqrt(((y - at_zero - slope * x) ** 2).sum() / (len(x) - 2) / (away @ away)))
    half = float(stats.t.ppf((1 + level) / 2, len(x) - 2)) * error if np.ptp(y) > 0 else np.nan
    return {"slope": slope, "slope_low": slope - half, "slope_high": slope + half, "at_zero": at_zero}
