"""Likeness: how near arms come to the finetuned model, and how far from base, by dose; random directions and base beside them.

On reference answers to off-domain test questions: nothing is sampled and nobody judges (`generation.likeness`).
"""

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.figures import dose_response, panels, points, style, words
from emsteer.figures.draw import drawn
from emsteer.packs import Job
from emsteer.recipes import BasePoint

MEASURES = (
    panels.Measure("position", "position,\noff-domain [0: base,\n1: finetuned]", 1, (None, None)),
    panels.Measure("kl_to_finetuned", "KL to finetuned,\noff-domain [nats/token]", 1, (None, None), height=0.8),
    panels.Measure("kl_to_base", "KL to base,\noff-domain [nats/token]", 1, (None, None), height=0.8),
)


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Rates, words.along("dose_as_built"))


def draw(rates: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Rates` of likeness → the figure and what it shows. One column of panels per model."""
    rows = panels.of_measures(points.tested(rates, base_point), MEASURES)
    treated = pd.concat([dose_response.steered(rows, base_point), dose_response.finetuned(rows, base_point)])
    parts = [points.untreated(rows), dose_response.randoms(rows, base_point), points.seeded(treated, "dose")]
    shown = pd.concat(parts, ignore_index=True)
    titles = list(dict.fromkeys(rows["panel"])) or [f"model: {base_point.model}"]
    return panels.paint(shown, titles, MEASURES, dose_response.ALONG, style.looks(rates, base_point)), shown
