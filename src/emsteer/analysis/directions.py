"""Directions at equal doses: what each construction, control and counterpart does, and how it lies to the vector of the base point.

Vectors of different length, or that a model minds differently, are comparable at equal norm and at equal KL only; those as built
are left out. Everything is at the layer, epochs and positions of the base point; low-rank vectors of every rank. Seeds and draws
are pooled. A random direction of the same dose is a counterpart of every vector, whichever vector's sweep it was drawn in.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emsteer import schemas, storage
from emsteer.analysis.chosen import rank_among
from emsteer.analysis.measures import Block, blocks, measured, pooled, values
from emsteer.analysis.rates import widened
from emsteer.analysis.settings import name_of
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import COUNTERPARTS, BasePoint, PlacedDirection

SCHEMA = schemas.Directions
AXES = ["layer", "epochs", "rank", "seed", "draw"]
DIRECTION = ["model", "task", "arm", "vector", *AXES]
LABELS = ["arm", "vector", "rank", "dose_unit", "dose", "setting", "dose_relative", "dose_kl"]
COSINES = ["cosine", "cosine_lowest", "cosine_largest"]
COUNTED = ["n_seeds", "n_draws"]
RANKS = ["random_draws", "random_below", "random_largest"]
ARMS = ["steered", "control", *COUNTERPARTS]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA, published)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Directions`."""
    counts = schemas.read(job.input("counts"), schemas.Counts)
    tested = counts[counts["split"].eq("test")]
    found = tested[at_equal_doses(tested, job.recipe.base_point)]
    cosines = cosines_of(job.recipe.placed, job.by_address("vectors"))
    parts = [
        frame
        for _, of_dose in found.groupby([*schemas.PLACE, "dose_unit", "dose"], sort=False)
        for frame in _measures(of_dose, cosines, job.recipe.level)
    ]
    untreated = tested[tested["arm"].eq("base") & tested["model"].isin(found["model"])]
    parts += [frame for _, of in untreated.groupby(schemas.PLACE, sort=False) for frame in _measures(of, cosines, job.recipe.level)]
    return schemas.frame_of(pd.concat(parts, ignore_index=True) if parts else [], SCHEMA)


def published(directions: pd.DataFrame) -> pd.DataFrame:
    """One row per direction, dose and group of questions; ranges and ranks are of on-topic EM."""
    key = [*schemas.PLACE, "setting", "group"]
    wide = widened(directions, key, [*schemas.PLACE, *LABELS, *COSINES, *COUNTED])
    of_headline = directions[directions["metric"].eq("on_topic_em")][[*key, "lowest", "largest", *RANKS]]
    return wide.merge(of_headline, on=key, validate="one_to_one")


def at_equal_doses(counts: pd.DataFrame, base_point: BasePoint) -> pd.Series:
    """Which rows of `schemas.Counts` are of directions at doses that directions can share, at the base point but for these."""
    epochs = counts["epochs"].isna() | counts["epochs"].eq(base_point.epochs or 0).fillna(False)
    at = counts["layer"].eq(counts["model"].map(base_point.layer_of)).fillna(False) & counts["positions"].eq(
        base_point.positions
    ).fillna(False)
    units = counts["dose_unit"].isin(["residual_norm", "kl"])
    return (counts["beneath"].isna() & counts["arm"].isin(ARMS) & units & epochs & at).astype(bool)


def cosines_of(placed: Sequence[PlacedDirection], vectors: Mapping[str, Any]) -> dict[tuple[Any, ...], float]:
    """Values of `DIRECTION` → cosine; without directions that have no reference, or no length."""
    at: dict[str, dict[int, NDArray[np.float64]]] = {}
    for name, path in vectors.items():
        tensors, _ = storage.read_tensors(path)
        rows = tensors["directions"].astype("float64")
        at[name] = {int(layer): row for layer, row in zip(tensors["layers"], rows, strict=True)}
    found = {}
    for one in placed:
        layer = one.direction.layer
        if one.reference is None or layer not in at[one.reference]:
            continue
        sides = at[one.made][layer], at[one.reference][layer]
        lengths = np.linalg.norm(sides[0]) * np.linalg.norm(sides[1])
        if lengths:
            key = (one.model, one.task, one.arm, one.direction.vector, *(getattr(one.direction, name) for name in AXES))
            found[key] = float(sides[0] @ sides[1] / lengths)
    return found


def _measures(of_dose: pd.DataFrame, cosines: Mapping[tuple[Any, ...], float], level: float) -> Iterator[pd.DataFrame]:
    """Every measure of the directions of one dose: one frame per group and metric, one row a direction."""
    found = [of for _, of in of_dose.groupby(["arm", "vector", "rank"], sort=False, dropna=False)]
    (whole,) = blocks(pd.concat([pooled(of, str(index)) for index, of in enumerate(found)]))
    single = [next(blocks(of)) for of in found]
    randoms = next(blocks(of_dose[of_dose["arm"].eq("random")]), None)
    labels = pd.DataFrame([_labels(of.settings, cosines) for of in single])
    for group, mask in whole.groups(categories=False):
        for numbers in measured(whole, mask, level):
            metric = str(numbers["metric"].iloc[0])
            ranks = [rank_among(randoms, value, metric, mask) for value in numbers["value"]]
            ranges = [_range(of, metric, mask) for of in single]
            yield pd.concat([labels.assign(group=group), numbers, pd.DataFrame(ranges), pd.DataFrame(ranks)], axis=1)


def _labels(settings: pd.DataFrame, cosines: Mapping[tuple[Any, ...], float]) -> dict[str, object]:
    """Of the settings of one direction: its seeds and draws."""
    first = settings.iloc[0]
    keys = (tuple(None if pd.isna(value) else value for value in row) for row in settings[DIRECTION].itertuples(index=False))
    known = [cosines[key] for key in keys if key in cosines]
    means = settings[["dose_relative", "dose_kl"]].mean().to_dict()
    numbers = dict(zip(COSINES, (np.mean(known), min(known), max(known)), strict=True)) if known else dict.fromkeys(COSINES, np.nan)
    unit = "none" if pd.isna(first["dose_unit"]) else first["dose_unit"]
    named = name_of({**first.to_dict(), "draw": None}, seeded=False)
    same = {name: first[name] for name in (*schemas.PLACE, "arm", "vector", "rank", "dose")}
    return {**same, "dose_unit": unit, "setting": named, **means, **numbers} | {
        "n_seeds": settings["seed"].nunique(),
        "n_draws": settings["draw"].nunique(),
    }


def _range(single: Block, metric: str, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Of a number over seeds and draws."""
    found = values(single, metric, mask)
    found = found[~np.isnan(found)]
    return {"lowest": float(found.min()), "largest": float(found.max())} if found.size else {"lowest": np.nan, "largest": np.nan}
