"""Matched: steering and finetuning at equal narrow harm, and at equal coherence.

A dose and a number of steps cannot be compared; what they do can. Along each trace (`analysis.traces`) the place is found where
in-domain EM first reaches a level, or coverage off-domain first falls to one, by straight lines between settings; the other
numbers are read off at that place, on both sides, and compared. Intervals are percentiles over resampled questions, in-domain and
off-domain ones apart; `reached`: the share of resamples in which both sides reach the level.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd

from emsteer import schemas
from emsteer.analysis.bootstrap import defined_quantiles, resampled
from emsteer.analysis.estimates import Floats, divided
from emsteer.analysis.tables import tabulated
from emsteer.analysis.traces import Trace, traces
from emsteer.packs import Job
from emsteer.recipes import Bootstrap, Matched

SCHEMA = schemas.Matched
READ = ("on_topic_em", "em", "coverage", "coherence", "relevance_of_harmful", "coherence_of_harmful")
MATCHED = {"in_domain_em": ("em", True, 1.0), "coverage": ("coverage", False, -1.0)}  # metric, in-domain, which way it goes


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Matched`."""
    recipe: Matched = job.recipe
    counts = schemas.read(job.input("counts"), schemas.Counts)
    rows: list[dict[str, object]] = []
    for place, of_place in counts.groupby(schemas.PLACE, sort=False):
        found = list(traces(of_place, recipe.base_point))
        pairs = [(one, other) for one, other in product(found, found) if (one.arm, other.arm) == ("steered", "finetuned")]
        about = dict(zip(schemas.PLACE, place, strict=True))
        rows += [{**about, **row} for one, other in pairs for row in _of_pair(one, other, recipe)]
    return schemas.frame_of(rows, SCHEMA)


def _of_pair(one: Trace, other: Trace, recipe: Matched) -> Iterator[dict[str, object]]:
    about = {"treatment": one.treatment, "reference": other.treatment, "path": other.path}
    for matched, (metric, in_domain, way) in MATCHED.items():
        along = [_curve(side, metric, recipe.bootstrap, in_domain=in_domain) for side in (one, other)]
        read = {name: [_curve(side, name, recipe.bootstrap) for side in (one, other)] for name in READ if name != matched}
        for level in getattr(recipe, matched):
            places = [_where(way * curve, way * level) for curve in along]
            for name, curves in read.items():
                row = _compared([_there(curve, place) for curve, place in zip(curves, places, strict=True)], recipe.bootstrap.level)
                if row is not None:
                    yield {**about, "matched": matched, "at": level, "metric": name, **row}


def _curve(side: Trace, metric: str, bootstrap: Bootstrap, *, in_domain: bool = False) -> Floats:
    """A metric along the trace: as observed, then in every resample. [1 + resamples × settings]"""
    mask = side.block.asked("in_domain" if in_domain else "off_domain")
    top, bottom = side.block.of(metric, mask)
    drawn = np.concatenate([np.ones((1, int(mask.sum()))), resampled(int(mask.sum()), bootstrap)])
    return divided(drawn @ top.T, drawn @ bottom.T)


def _where(curve: Floats, level: float) -> Floats:
    """Where each row first reaches the level from below, in settings and parts of the way to the next.

    NaN: nowhere, or untreated already: then there is nothing to match.
    """
    place = np.full(len(curve), np.nan)
    for index in range(curve.shape[1] - 1):
        before, after = curve[:, index], curve[:, index + 1]
        crosses = np.isnan(place) & (curve[:, 0] < level) & (before < level) & (after >= level)
        place[crosses] = index + (level - before[crosses]) / (after[crosses] - before[crosses])
    return place


def _there(curve: Floats, place: Floats) -> Floats:
    """The curve of each row at its place."""
    known = np.nan_to_num(place, nan=0.0)
    index = np.minimum(known.astype(int), curve.shape[1] - 2)
    rows = np.arange(len(curve))
    part = known - index
    before, after = curve[rows, index], curve[rows, index + 1]
    between = np.where(part == 0, before, np.where(part == 1, after, before + part * (after - before)))
    return np.where(np.isnan(place), np.nan, between)


def _compared(sides: Sequence[Floats], level: float) -> dict[str, object] | None:
    """Values of both sides with the difference and its interval; None where one does not reach the level, or has no number."""
    difference = sides[0] - sides[1]
    if np.isnan(difference[0]):
        return None
    low, high = defined_quantiles(difference[1:, None], ((1 - level) / 2, (1 + level) / 2))[:, 0]
    value, reference = (float(side[0]) for side in sides)
    reached = float(1 - np.isnan(difference[1:]).mean())
    found = {"value": value, "reference_value": reference, "difference": value - reference}
    return {**found, "low": min(low, value - reference), "high": max(high, value - reference), "reached": reached}
