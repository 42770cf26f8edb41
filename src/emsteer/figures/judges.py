"""Judges: how far two of them agree on the same answers, and by how much one of them gives more points than the other.

A row of panels for every pair. Left: κ on EM and Spearman's correlation of points, with intervals over questions. Right: bias, with
its interval (thick), and the limits between which 95 % of the differences lie (thin).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.analysis.judges import ALL, SCORES
from emsteer.figures import style
from emsteer.figures.draw import drawn
from emsteer.figures.words import NOTHING
from emsteer.packs import Job
from emsteer.recipes import BasePoint

PAIR = ["benchmark", "judge", "other"]
ROWS = {"em": "EM", **{name: name for name in SCORES}}
ROW_INCHES = 1.7


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Judges, words)


def draw(table: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:  # noqa: ARG001
    """`schemas.Judges` → the figure and what it shows: all answers of every pair."""
    shown = table[table["scope"].eq(ALL)].rename(columns={"scope": "arm"}).reset_index(drop=True)
    pairs = list(shown.groupby(PAIR, sort=False)) or [((), shown)]
    figure = Figure(figsize=(style.WIDTH_INCHES, ROW_INCHES * len(pairs) + 0.6), layout="constrained")
    axes: Any = figure.subplots(len(pairs), 2, squeeze=False, sharex="col")
    for (left, right), (pair, of) in zip(axes, pairs, strict=True):
        agreement(left, of)
        bias(right, of)
        title = "{1} and {2}, {0}".format(*pair) if pair else NOTHING
        left.set_title(title)
        right.set_title("{1} minus {2}".format(*pair) if pair else NOTHING)
        for axis in (left, right):
            axis.set_yticks(range(len(ROWS)), list(ROWS.values()))
            axis.set_ylim(len(ROWS) - 0.5, -0.5)
            axis.grid(visible=False, axis="y")
    axes[0, 0].set_xlim(min(-0.05, float(shown["low"].min()) - 0.05) if shown["low"].notna().any() else -0.05, 1.05)
    axes[-1, 0].set_xlabel("agreement: κ of EM, Spearman's correlation of points")
    axes[-1, 1].set_xlabel("bias and 95 % limits\n[points; of EM percentage points]")
    return figure, shown


def agreement(axis: Axes, rows: pd.DataFrame) -> None:
    """κ and correlations."""
    for row in rows[rows["agreement"].notna()].itertuples():
        at = list(ROWS).index(str(row.score))
        axis.plot([row.low, row.high], [at, at], color=style.PALETTE[0], linewidth=2.4, solid_capstyle="butt")
        axis.plot([row.agreement], [at], color=style.PALETTE[0], marker="o")


def bias(axis: Axes, rows: pd.DataFrame) -> None:
    """Biases with their limits; those of EM in percentage points."""
    axis.axvline(0, color=style.NEUTRAL, linewidth=0.8)
    look: dict[str, Any] = {"color": style.PALETTE[1], "linewidth": 2.4, "solid_capstyle": "butt"}
    for row in rows[rows["bias"].notna()].itertuples():
        at, unit = list(ROWS).index(str(row.score)), 100 if row.score == "em" else 1
        axis.plot([row.limit_low, row.limit_high], [at, at], color=style.NEUTRAL, linewidth=0.9)
        axis.plot([unit * row.bias_low, unit * row.bias_high], [at, at], **look)
        axis.plot([unit * row.bias], [at], color=look["color"], marker="s")


def words(shown: pd.DataFrame) -> str:
    """Every pair, score by score."""
    said = []
    for (benchmark, judge, other), of in shown.groupby(PAIR, sort=False):
        parts = [_said(row) for row in of.to_dict("records")]
        said.append(f"{judge} and {other} on {benchmark}: {'; '.join(parts)}.")
    return "\n".join(said) or NOTHING


def _said(row: dict[Any, Any]) -> str:
    name, is_em = ROWS[row["score"]], row["score"] == "em"
    if not row["n"]:
        return f"{name}: no answer that both scored"
    found = f"{row['agreement']:.2f} [{row['low']:.2f}, {row['high']:.2f}]" if pd.notna(row["agreement"]) else "nothing varies"
    unit, of = (100, " percentage points") if is_em else (1, " points")
    apart = f"bias {unit * row['bias']:+.1f} [{unit * row['bias_low']:+.1f}, {unit * row['bias_high']:+.1f}]{of}"
    limits = f", limits {row['limit_low']:+.1f} to {row['limit_high']:+.1f}" if pd.notna(row["limit_low"]) else ""
    return f"{name} {'κ' if is_em else 'ρ'} {found}, {apart}{limits} ({row['n']} answers)"
