"""The names and columns of a setting."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from emsteer import storage
from emsteer.packs import Job
from emsteer.recipes import ABLATED, COUNTERPARTS, DOSE_LETTER, AdapterValues, Setting, SettingRow, SteeringValues, number

MARKS = {"seed": "s", "layer": "l", "epochs": "e", "steps": "t", "rank": "k"}
TREATMENT = list(dict.fromkeys([*SteeringValues.model_fields, *AdapterValues.model_fields]))
TREATMENT.remove("kind")


def setting_name(setting: Setting) -> str:
    """Short and unique within a study: `shared.gardening.trained.s0.l4.e8.random3.a1.25`; without what does not apply."""
    return name_of(setting_columns(setting))


def setting_columns(setting: Setting) -> dict[str, Any]:
    """Its values as `schemas.Settings` has them: those of the last treatment, and the name of what lies beneath it."""
    *beneath, last = [values.model_dump(exclude={"kind"}) for values in setting.treatments] or [{}]
    named = {"beneath": "+".join(_names(beneath, setting.arm)) or None}
    return setting.model_dump(exclude={"treatments"}) | named | dict.fromkeys(TREATMENT) | last


def _names(treatments: Sequence[Mapping[str, Any]], arm: str) -> Iterator[str]:
    """One for each, and one for those that differ in their layer alone: `mean_difference.s0.l0-1-2.c1`."""
    for _, alike in groupby(treatments, key=lambda values: {**values, "layer": None}):
        group = list(alike)
        layers = {"layer": "-".join(str(values["layer"]) for values in group)} if "layer" in group[0] else {}
        yield _treatment_name({**group[0], **layers}, arm)


def name_of(columns: Mapping[str, Any], *, seeded: bool = True) -> str:
    """`setting_name` of a row of `schemas.Settings`; without the seed that is of all its seeds."""
    if columns["arm"] == "base":
        return f"{columns['model']}.base"
    known = {name: columns[name] for name in ("beneath", *TREATMENT) if name in columns and not pd.isna(columns[name])}
    last = _treatment_name(known if seeded else {name: value for name, value in known.items() if name != "seed"}, columns["arm"])
    return f"{columns['model']}.{columns['task']}." + "+".join([*([known["beneath"]] if "beneath" in known else []), last])


def _treatment_name(values: Mapping[str, Any], arm: str = "") -> str:
    parts = [values["vector"] if values.get("vector") else values["adapter"]]
    parts += [f"{mark}{values[name]}" for name, mark in MARKS.items() if values.get(name) is not None]
    drawn = "" if values.get("draw") is None else values["draw"]
    parts += [f"{arm}{drawn}"] if arm in COUNTERPARTS and values.get("vector") else []
    parts += [values["positions"]] if values.get("positions", "all") != "all" else []
    return ".".join([*parts, DOSE_LETTER[values["dose_unit"]] + number(values["dose"])])


def setting_labels(job: Job) -> list[dict[str, object]]:
    """The columns of `schemas.Settings`, but for the split, of every row of a `recipes.Counts`."""
    vectors, adapters = job.by_address("vectors"), job.by_address("adapters")
    built = {name: _built(path) for name, path in vectors.items()}
    scales = {name: storage.read_passport(path)["relative_norm"] for name, path in adapters.items()}
    calibrations = {name: storage.read_json(path)["residual_norms"] for name, path in job.by_address("calibrations").items()}
    return [_labels(row, built, scales, calibrations[row.calibration]) for row in job.recipe.rows]


@dataclass(frozen=True)
class _Built:
    """A vector file: the norm of its direction at each layer; of one at equal KL, what it is a multiple of and what it costs."""

    norms: dict[int, float]
    scale: float | None
    kl: float | None


def _built(path: Path) -> _Built:
    tensors, passport = storage.read_tensors(path)
    squares = (tensors["directions"].astype("float64") ** 2).sum(axis=1)
    norms = {int(layer): float(square) ** 0.5 for layer, square in zip(tensors["layers"], squares, strict=True)}
    return _Built(norms, passport.get("scale"), passport.get("kl"))


def _labels(row: SettingRow, built: dict[str, _Built], scales: dict[str, float], residual_norms: list[float]) -> dict[str, object]:
    columns = setting_columns(row.setting)
    as_built = relative = kl = None
    if row.setting.treatments:
        last, made = row.setting.treatments[-1], row.made[-1]
        if isinstance(last, AdapterValues):
            as_built, relative = last.dose, last.dose * scales[made]
        else:
            vector, at = built[made], residual_norms[last.layer]
            kl = vector.kl
            if last.dose_unit == "kl":  # the vector is as long as that takes
                as_built, relative = vector.scale, vector.norms[last.layer] / at
            else:
                as_built, relative = doses(last, vector.norms[last.layer], at)
    return {
        "setting": name_of(columns),
        **columns,
        "dose_as_built": as_built,
        "dose_relative": relative,
        "dose_kl": kl,
        "benchmark": row.benchmark,
        "judge": row.judge,
    }


def doses(steering: SteeringValues, vector_norm: float, residual_norm: float) -> tuple[float | None, float | None]:
    """A dose in multiples of the vector as built and of the layer's residual norm, whichever of the two it was given in."""
    if vector_norm == 0 or steering.dose_unit in ABLATED:
        return None, None
    if steering.dose_unit == "vector_norm":
        return steering.dose, steering.dose * vector_norm / residual_norm
    return steering.dose * residual_norm / vector_norm, steering.dose
