"""Which rows of `schemas.Rates` a figure shows, and how the seeds of a line are put together."""

from collections.abc import Sequence

import pandas as pd

from emsteer.recipes import BasePoint

BLOCK = ["benchmark", "judge"]
PLACE = ["model", "task", *BLOCK]
TREATMENT = ["vector", "adapter", "layer", "epochs", "steps", "rank", "seed", "draw", "positions"]
DOSES = ["dose", "dose_unit", "dose_as_built", "dose_relative"]
NUMBERS = ["value", "low", "high", "n", "n_excluded", "n_questions", "interval"]
COLUMNS = ["panel", "line", "shown_as", *PLACE, "setting", "arm", *TREATMENT, *DOSES, "group", "metric", *NUMBERS]
MEAN, SEED, ALONE = "mean of seeds", "seed", "one seed"
BASE, RANDOM, REFERENCE = "base", "random", "reference"


def same(frame: pd.DataFrame, **values: object) -> pd.Series:
    """Which rows have these values in these columns; None stands for null."""
    mask = pd.Series(True, index=frame.index)
    for name, value in values.items():
        mask &= frame[name].isna() if value is None else frame[name].eq(value).fillna(False).astype(bool)
    return mask


def tested(rates: pd.DataFrame, base_point: BasePoint) -> pd.DataFrame:
    """Test questions about the task of the base point, at most one treatment; empty groups are there, without a number."""
    rows = rates[same(rates, split="test", task=base_point.task, beneath=None)]
    return rows.assign(panel="model: " + rows["model"], line="", shown_as="")[COLUMNS]


def numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """Without empty groups: they have no number, and no place in a drawing."""
    return rows.dropna(subset=[name for name in rows if name.startswith("value")])


def untreated(rows: pd.DataFrame) -> pd.DataFrame:
    """The base setting."""
    rows = numbered(rows)
    return rows[rows["arm"].eq("base")].assign(shown_as=BASE, line="base")


def at_base(rows: pd.DataFrame, base_point: BasePoint, *, but: Sequence[str] = ()) -> pd.Series:
    """Which steered rows are at the base point; `but`: columns that may have any value. Doses and seeds always may."""
    values = base_point.model_dump(include={"model", "vector", "epochs", "positions"}) | {
        "layer": base_point.layer_of(base_point.model),
        "arm": "steered",
        "dose_unit": base_point.unit,
        "rank": None,
    }
    return same(rows, **{name: value for name, value in values.items() if name not in but})


def seeded(rows: pd.DataFrame, x: str) -> pd.DataFrame:
    """Rows of lines (columns `panel`, `line`) along `x`: one seed alone, or several with their mean.

    Seeds that were run at fewer points of a line than others are left out of it, so that a mean is over the same seeds
    everywhere, and so are seeds without any number on it. Where one of the others has no number, there is no mean.
    """
    parts = []
    for _, of in rows.groupby(["panel", "line", *BLOCK, "group", "metric"], sort=False):
        judged = of[of["seed"].isin(numbered(of)["seed"])]
        of = judged if len(judged) else of
        points = of.groupby("seed", dropna=False)[x].nunique()  # what nothing is drawn for has no seed
        seeds = points.index[points.eq(points.max())]
        kept = numbered(of[of["seed"].isin(seeds)]).sort_values(["seed", x])
        parts.append(kept.assign(shown_as=SEED if len(seeds) > 1 else ALONE))
        if len(seeds) > 1 and len(kept):
            parts.append(_means(kept, x, len(seeds)))
    return pd.concat(parts) if parts else rows.iloc[:0]


def _means(rows: pd.DataFrame, x: str, n_seeds: int) -> pd.DataFrame:
    """Means over seeds; no interval, and counts added up."""
    ends = [name.removeprefix("value") for name in rows if name.startswith("value")]  # one, or one for each axis of a plane
    averaged = {"dose_as_built", "dose_relative", *(f"value{end}" for end in ends)}
    added = {"n_excluded", *(f"n{end}" for end in ends)}
    how = dict.fromkeys(rows.columns, "first")
    how |= {name: "mean" for name in rows if name in averaged} | {name: "sum" for name in rows if name in added}
    groups = rows.groupby(x, sort=True)
    whole = groups["seed"].nunique().eq(n_seeds).to_numpy()
    means = groups.agg(how).reset_index(drop=True)[whole]
    empty = {name: float("nan") for name in rows if name.startswith(("low", "high"))} | {"setting": pd.NA, "interval": "none"}
    return means.assign(shown_as=MEAN, seed=pd.array([pd.NA] * len(means), dtype="Int64"), **empty)


def blocks(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Every benchmark with each of its judges; at least one."""
    return list(dict.fromkeys(zip(rows["benchmark"], rows["judge"], strict=True))) or [("", "")]


def caption(title: str, block: tuple[str, str], n_blocks: int) -> str:
    """The title of a panel; with benchmark and judge where there are several."""
    return title if n_blocks == 1 else f"{title}\n{block[0]}, judged by {block[1]}"
