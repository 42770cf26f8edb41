"""What figures of fitted lines share: which settings they show, and a slope in words."""

import pandas as pd

from emsteer.figures import style
from emsteer.figures.categories import treatments
from emsteer.recipes import BasePoint


def of_base_point(table: pd.DataFrame, base_point: BasePoint) -> pd.DataFrame:
    """Base, and the chosen settings of the base point's vector and adapter; `line` names them."""
    rows = table[table["point"].isin(["base", "chosen"])]
    lines = [style.treatment(arm, name) for arm, name in zip(rows["arm"], rows["treatment"], strict=True)]
    rows = rows.assign(line=lines)
    rows["line"] = rows["line"].where(rows["arm"].ne("base"), "base")
    return rows[rows["line"].isin(["base", *treatments(base_point)])]


def in_words(row: pd.Series, digits: int) -> str:
    """`+99 [+56, +142] percentage points`, of a slope of shares."""
    slope, low, high = (f"{100 * float(row[name]):+z.{digits}f}" for name in ("slope", "slope_low", "slope_high"))
    ends = f"[{low}, {high}]" if pd.notna(row["slope_low"]) else "(no interval: all the same)"
    return f"{slope} {ends} percentage points"
