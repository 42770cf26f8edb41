"""What a figure shows, in words with its numbers: for those who cannot see it, and for captions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from emsteer.analysis.measures import POINTS, SHARES
from emsteer.figures import points
from emsteer.recipes import number

Words = Callable[[pd.DataFrame], str]
NOTHING = "There are no such settings."


def along(x: str) -> Words:
    """Of lines along a column, adapters of one scale along their steps: where each starts and ends, and where it is highest."""
    return partial(_lines, x=x)


def _lines(shown: pd.DataFrame, x: str) -> str:
    drawn = shown[shown["shown_as"].isin([points.MEAN, points.ALONE, points.BASE])]
    said = []
    for (panel, benchmark, judge, metric), of_panel in drawn.groupby(["panel", *points.BLOCK, "metric"], sort=False):
        parts = [_line(str(name), of, x) for name, of in of_panel.groupby("line", sort=False)]
        place = f"{_flat(panel)}{block(shown, benchmark, judge)}, {metric.replace('_', ' ')}"
        said.append(f"{place}: {'; '.join(part for part in parts if part)}.")
    return "\n".join(said) or NOTHING


def _line(name: str, of: pd.DataFrame, x: str) -> str:
    metric = str(of["metric"].iloc[0])
    if of["shown_as"].eq(points.BASE).all():
        return f"base {_ends(of.iloc[0], metric)}"
    x = "steps" if of["adapter"].notna().all() and of[x].nunique() == 1 else x  # an adapter as it was trained
    of = of[of[x].notna()].astype({x: float}).sort_values(x)
    if of.empty:
        return ""
    first, last, top = of.iloc[0], of.iloc[-1], of.loc[of["value"].idxmax()]
    if len(of) == 1:
        return f"{name} {_show(first['value'], metric)} at {number(first[x])}"
    ends = (
        f"{name} from {_show(first['value'], metric)} at {number(first[x])} to {_show(last['value'], metric)} at {number(last[x])}"
    )
    inside = top[x] not in (first[x], last[x])
    return f"{ends}, at most {_show(top['value'], metric)} at {number(top[x])}" if inside else ends


def by_place(places: Sequence[str]) -> Words:
    """Of numbers with intervals at places: all of them."""
    return partial(_places, places=list(places))


def _places(shown: pd.DataFrame, places: list[str]) -> str:
    said = []
    for (benchmark, judge, *place), of in shown.groupby([*points.BLOCK, *places], sort=False):
        parts = [f"{row['line']} {_ends(row, row['metric'])}, n {row['n']}" for row in of.to_dict("records")]
        said.append(f"{', '.join(map(str, place))}{block(shown, benchmark, judge)}: {'; '.join(parts)}.")
    return "\n".join(said) or NOTHING


@dataclass(frozen=True)
class End:
    """Of a plane of two numbers: the suffix of an axis's columns, what it is called, what its values are multiplied by."""

    suffix: str
    name: str
    scale: float
    unit: str


def traces(x: End, y: End) -> Words:
    """Of off-domain questions in a plane of two numbers: where each trace starts and ends, and where it is highest."""
    return partial(_traces, x=x, y=y)


def _traces(shown: pd.DataFrame, x: End, y: End) -> str:
    drawn = shown[shown["shown_as"].isin([points.MEAN, points.ALONE]) & shown["group"].eq("off_domain")]
    said = []
    for (panel, benchmark, judge, line, trace), of in drawn.groupby(["panel", *points.BLOCK, "line", "trace"], sort=False):
        numbers = {end: of[f"value_{end.suffix}"].to_numpy(dtype=float) * end.scale for end in (x, y)}
        ends = ", ".join(f"{end.name} {of_end[0]:.0f} to {of_end[-1]:.0f}{end.unit}" for end, of_end in numbers.items())
        place = f"{_flat(panel)}{block(shown, benchmark, judge)}"
        said.append(f"{place}, {line} {trace}: {ends}, at most {numbers[y].max():.0f}{y.unit}.")
    return "\n".join(said) or NOTHING


def _ends(row: "pd.Series | dict[str, object]", metric: str) -> str:
    """A number with its interval, where it has one."""
    low, high = (pd.to_numeric(row[name]) for name in ("low", "high"))
    return _show(row["value"], metric) + ("" if pd.isna(low) else f" [{_show(low, metric, False)}, {_show(high, metric, False)}]")


def _show(value: object, metric: str, unit: bool = True) -> str:
    """Shares in percent, points without decimals, nats with two."""
    value = float(pd.to_numeric(value))
    if metric in SHARES:
        return f"{100 * value:.0f}{' %' if unit else ''}"
    return f"{value:.0f}" if metric in POINTS else f"{value:.2f}"


def block(shown: pd.DataFrame, benchmark: str, judge: str) -> str:
    """Which benchmark and judge, where there are several."""
    return f" ({benchmark}, judged by {judge})" if len(points.blocks(shown)) > 1 else ""


def _flat(title: object) -> str:
    return " ".join(str(title).split())
