"""The names and columns of a setting."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from emsteer import storage
from emsteer.packs import Job
from emsteer.recipes import Setting, SettingRow, number

DOSE_LETTER = {"vector_norm": "a", "residual_norm": "c", "adapter_scale": "x"}


def setting_name(setting: Setting) -> str:
    """Short and unique within a study: `shared.gardening.trained.s0.l4.e8.random3.a1.25`; without what does not apply."""
    if setting.arm == "base":
        return f"{setting.model}.base"
    marks = {
        "s": setting.seed,
        "l": setting.layer,
        "e": setting.epochs,
        "t": setting.steps,
        "k": setting.rank,
        "random": setting.draw,
    }
    parts = [setting.model, setting.task, str(setting.vector or setting.adapter)]
    parts += [f"{mark}{value}" for mark, value in marks.items() if value is not None]
    parts += [setting.positions] if setting.positions not in (None, "all") else []
    parts += [f"{DOSE_LETTER[setting.dose_unit]}{number(setting.dose)}"] if setting.dose_unit and setting.dose is not None else []
    return ".".join(parts)


def unseeded_name(columns: Mapping[str, Any]) -> str:
    """`setting_name` of a row of `schemas.Settings`, whatever its seed."""
    known = {name: columns[name] for name in Setting.model_fields if name in columns and not pd.isna(columns[name])}
    return setting_name(Setting(**known | {"seed": None}))


def setting_labels(job: Job) -> list[dict[str, object]]:
    """The columns of `schemas.Settings`, but for the split, of every row of a `recipes.Counts`."""
    vectors, adapters = job.by_address("vectors"), job.by_address("adapters")
    norms = {name: _norms(storage.read_tensors(path)[0]) for name, path in vectors.items()}
    scales = {name: storage.read_passport(path)["relative_norm"] for name, path in adapters.items()}
    calibrations = {name: storage.read_json(path)["residual_norms"] for name, path in job.by_address("calibrations").items()}
    return [_labels(row, norms, scales, calibrations[row.calibration]) for row in job.recipe.rows]


def _norms(tensors: dict[str, Any]) -> dict[int, float]:
    """Layer → norm of its direction."""
    squares = (tensors["directions"].astype("float64") ** 2).sum(axis=1)
    return {int(layer): float(square) ** 0.5 for layer, square in zip(tensors["layers"], squares, strict=True)}


def _labels(
    row: SettingRow, norms: dict[str, dict[int, float]], scales: dict[str, float], residual_norms: list[float]
) -> dict[str, object]:
    setting = row.setting
    as_built = relative = None
    if row.adapter is not None and setting.dose is not None:
        as_built, relative = setting.dose, setting.dose * scales[row.adapter]
    if row.vector is not None and setting.layer is not None:
        as_built, relative = doses(setting, norms[row.vector][setting.layer], residual_norms[setting.layer])
    return {
        "setting": setting_name(setting),
        **setting.model_dump(),
        "dose_as_built": as_built,
        "dose_relative": relative,
        "benchmark": row.benchmark,
        "judge": row.judge,
    }


def doses(setting: Setting, vector_norm: float, residual_norm: float) -> tuple[float | None, float | None]:
    """A steered dose in multiples of the vector as built and of the layer's residual norm, whichever one it was given in."""
    if setting.dose is None or vector_norm == 0:
        return None, None
    if setting.dose_unit == "vector_norm":
        return setting.dose, setting.dose * vector_norm / residual_norm
    return setting.dose * residual_norm / vector_norm, setting.dose
