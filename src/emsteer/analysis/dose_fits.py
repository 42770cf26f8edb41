"""Dose fits: where harm by a vector sets in, peaks, and collapses with the model's coherence.

Off-domain, on test questions, by multiples of the vector or adapter as built. Two curves are fitted by maximum likelihood, and
their product is EM:

coverage            c₀ / (1 + exp((d - collapse) / w))
EM given coherent   h₀ + (h₁ - h₀) / (1 + exp((onset - d) / s)), h₁ ≥ h₀

peak, peak_dose    of the product, between 0 and the largest dose
threshold          smallest dose with half of the peak; half_width: from there to where it has fallen back to half
collapse           dose at which coverage has fallen to half of what it was

A value beyond the largest dose is null: nobody looked there. `residual_*`: of EM at the settings, root mean square and largest.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import optimize, special

from emsteer import schemas
from emsteer.analysis.estimates import Floats
from emsteer.analysis.tables import tabulated
from emsteer.analysis.traces import Trace, traces
from emsteer.packs import Job
from emsteer.recipes import DoseFits

SCHEMA = schemas.DoseFits
LEAST_SETTINGS = 4  # with the untreated model: fewer determine nothing
GRID = 2001
Curve = Callable[[Floats, Floats], Floats]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.DoseFits`."""
    recipe: DoseFits = job.recipe
    counts = schemas.read(job.input("counts"), schemas.Counts)
    rows: list[dict[str, object]] = []
    for place, of_place in counts.groupby(schemas.PLACE, sort=False):
        about = dict(zip(schemas.PLACE, place, strict=True))
        for trace in traces(of_place, recipe.base_point):
            if trace.path != "steps" and len(trace.at) >= LEAST_SETTINGS:
                rows.append({**about, "arm": trace.arm, "treatment": trace.treatment, **fitted(*_sums(trace))})
    return schemas.frame_of(rows, SCHEMA)


def _sums(trace: Trace) -> tuple[Floats, Floats, Floats, Floats]:
    mask = trace.block.asked("off_domain")
    em, judged = (part.sum(1) for part in trace.block.of("em", mask))
    return trace.at, em, trace.block.of("coverage", mask)[0].sum(1), judged


def coverage(parameters: Floats, doses: Floats) -> Floats:
    """c₀ as log odds, collapse, log w."""
    top, collapse, width = parameters
    return special.expit(top) * special.expit((collapse - doses) / np.exp(width))


def harm(parameters: Floats, doses: Floats) -> Floats:
    """h₀ as log odds, the rest of the way up as log odds, onset, log s."""
    low, rise, onset, slope = parameters
    start = special.expit(low)
    return start + (1 - start) * special.expit(rise) * special.expit((doses - onset) / np.exp(slope))


def fitted(doses: Floats, em: Floats, coherent: Floats, judged: Floats) -> dict[str, float | None]:
    """The numbers of a fit from counts at rising doses, the untreated model first. [settings] each"""
    end = float(doses[-1])
    middle, width = end / 2, float(np.log(end / 8))
    of_coverage = _most_likely(coverage, doses, coherent, judged, [(3.0, place, width) for place in (middle, end, 2 * end)], end)
    starts = [(-4.0, rise, place, width) for rise in (-1.0, 2.0) for place in (middle / 2, middle, end)]
    of_harm = _most_likely(harm, doses, em, coherent, starts, end)
    grid = np.linspace(0, end, GRID)
    curve = coverage(of_coverage, grid) * harm(of_harm, grid)
    peak = int(curve.argmax())
    above = curve >= curve[peak] / 2
    threshold = float(grid[above.argmax()])
    after = np.flatnonzero(~above[peak:])
    covered = coverage(of_coverage, grid)
    collapsed = np.flatnonzero(covered < covered[0] / 2)
    with np.errstate(invalid="ignore"):
        residuals = em / judged - coverage(of_coverage, doses) * harm(of_harm, doses)
    residuals = residuals[judged > 0]
    return {
        "peak": float(curve[peak]),
        "peak_dose": float(grid[peak]),
        "threshold": threshold,
        "half_width": float(grid[peak + after[0]]) - threshold if after.size else None,
        "collapse": float(grid[collapsed[0]]) if collapsed.size else None,
        "largest_dose": end,
        "n_settings": len(doses),
        "residual_rms": float(np.sqrt((residuals**2).mean())),
        "residual_largest": float(np.abs(residuals).max()),
    }


def _most_likely(
    curve: Curve, doses: Floats, events: Floats, of: Floats, starts: Sequence[tuple[float, ...]], end: float
) -> Floats:
    """Parameters under which the counts are likeliest, from the best of several starts; widths between 1/50 and 2 of the range."""

    def loss(parameters: Floats) -> float:
        share = np.clip(curve(parameters, doses), 1e-9, 1 - 1e-9)
        return float(-(events * np.log(share) + (of - events) * np.log1p(-share)).sum())

    widths = (float(np.log(end / 50)), float(np.log(2 * end)))
    bounds = [(-12.0, 12.0)] * (len(starts[0]) - 2) + [(-end, 4 * end), widths]
    found = [optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    return np.asarray(min(found, key=lambda one: (round(float(one.fun), 9), tuple(one.x))).x, dtype=np.float64)
