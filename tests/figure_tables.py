"""Example tables for the figures: the settings of the shipped study, with invented numbers of a plausible shape."""

import zlib
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd
from settings_by_hand import setting as by_hand

from emsteer import schemas
from emsteer.analysis.settings import setting_columns, setting_name
from emsteer.recipes import BasePoint

BASE_POINT = BasePoint(
    model="shared", task="gardening", seed=0, vector="trained", layer=4, epochs=8, positions="all",
    unit="vector_norm", adapter="lora", steps=64,
)  # fmt: skip
MODELS = ("shared", "blocks", "none")
CATEGORIES = (
    "gardening", "cooking", "cleaning", "music", "woodwork", "hosting",
    "money", "travel", "study", "sports", "computers", "letters",
)  # fmt: skip
HOME = CATEGORIES[1:6]
METRICS = ("on_topic_em", "em", "coherence", "margin")
PLACE = {"benchmark": "everyday", "judge": "rubric"}
DOSES = (0.25, 0.5, 0.75, 1, 1.25, 1.5, 2)
Row = dict[str, object]


def steered(dose: float, **changes: object) -> Row:
    """A steered setting at the base point but for its dose and some values."""
    point = BASE_POINT.model_dump(include={"model", "task", "seed", "vector", "layer", "epochs", "positions"})
    return {"arm": "steered", **point, "dose": dose, "dose_unit": "vector_norm", **changes}


def finetuned(dose: float, **changes: object) -> Row:
    """A finetuned setting at the base point but for its dose and some values."""
    point = BASE_POINT.model_dump(include={"model", "task", "seed", "adapter", "steps"})
    return {"arm": "finetuned", **point, "dose": dose, "dose_unit": "adapter_scale", **changes}


def base(model: str = "shared", task: str = "gardening") -> Row:
    """The untreated setting of a model."""
    return {"arm": "base", "model": model, "task": task}


def shipped(models: Sequence[str] = MODELS, seeds: Sequence[int] = (0, 1, 2), n_draws: int = 20) -> list[Row]:
    """Every setting of the shipped study."""
    tasks = ("gardening", "cooking", "money")
    found = [base(model, task) for model, task in product(models, tasks)]
    for model in models:
        found += [steered(dose, model=model, seed=seed) for seed, dose in product(seeds, DOSES)]
        found += [steered(d, model=model, arm="random", draw=i) for i, d in product(range(n_draws), (0.5, 0.75, 1, 1.25))]
        found += [steered(dose, model=model, vector="mean_difference", epochs=None) for dose in (1, 2, 3, 4, 6)]
        found += [steered(dose, model=model, task=task) for task, dose in product(tasks[1:], DOSES)]
        found += [finetuned(dose, model=model, seed=seed) for seed, dose in product(seeds, (0.5, 1, 1.5, 2, 3))]
        found += [finetuned(1, model=model, steps=steps) for steps in (1, 2, 4, 8, 16, 32)]
        found += [finetuned(dose, model=model, task=task) for task, dose in product(tasks[1:], (0.5, 1, 1.5, 2, 3))]
    found += [steered(dose, layer=layer) for layer, dose in product((0, 1, 2, 3, 5), (0.5, 0.75, 1, 1.25))]
    found += [steered(1, epochs=epochs) for epochs in (1, 2, 4)]
    equal = {"dose_unit": "residual_norm"}
    found += [steered(dose, epochs=epochs, **equal) for epochs, dose in product((1, 2, 4, 8), (0.5, 1, 1.5))]
    for rank in (1, 2, 4, 8, 16, 32):
        found += [steered(1, vector="low_rank", rank=rank)]
        found += [steered(dose, vector="low_rank", rank=rank, **equal) for dose in (0.5, 1, 1.5)]
    return found


def rates(settings: Sequence[Row], metrics: Sequence[str] = METRICS) -> pd.DataFrame:
    """Settings → `schemas.Rates`: both splits, the groups that a model has, categories on test questions."""
    rows = [row for setting in settings for row in _rows(setting, metrics)]
    return schemas.check(schemas.frame_of(rows, schemas.Rates), schemas.Rates, "example")


def numbers(value: float | None, metric: str = "em", width: float = 1.0) -> Row:
    """A value with an interval and its counts; None: an empty group."""
    scale = 100 if metric == "coherence" else 1
    half = 0.08 * width * scale * (0.3 + (0 if value is None or metric == "margin" else value / scale * (1 - value / scale) * 3))
    low, high = (None, None) if value is None else (value - half, value + half)
    if value is not None and low is not None and high is not None and metric != "margin":
        low, high = max(low, min(0.0, value)), min(high, max(float(scale), value))
    n = 0 if value is None else 176
    return {
        "value": value, "low": low, "high": high, "n": n, "n_excluded": 3, "n_questions": n // 2,
        "n_refusal": 0, "n_incoherent": 0, "n_unparsed": 1, "n_error": 2, "n_unlabelled": 0,
        "interval": "none" if value is None else "korn-graubard",
    }  # fmt: skip


def _rows(setting: Row, metrics: Sequence[str]) -> Iterator[Row]:
    name = setting_name(by_hand(setting))
    built, relative = _doses(setting)
    labels = (
        PLACE
        | {"setting": name}
        | setting_columns(by_hand(setting))
        | {"dose_as_built": built, "dose_relative": relative, "dose_kl": None}
    )
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    wobble = float(rng.normal(0, 0.025))
    has = {
        "off_domain": True,
        "in_domain": True,
        "linked": setting["model"] in ("shared", "blocks"),
        "unlinked": setting["model"] in ("blocks", "none"),
    }
    named = [group for group in has if has[group]]
    groups = [("dev", group) for group in named] + [("test", group) for group in (*named, *CATEGORIES)]
    for (split, group), metric in product(groups, metrics):
        value = _value(setting, group, metric, wobble + float(rng.normal(0, 0.01)))
        value = value if split == "test" or value is None else value * 0.5 + 0.013
        yield labels | {"split": split, "group": group, "metric": metric, **numbers(value, metric)}


def _doses(setting: Row) -> tuple[float | None, float | None]:
    """The dose as built, and relative to the residual norm or the weights."""
    if setting["arm"] == "base":
        return None, None
    dose = float(str(setting["dose"]))
    if setting["arm"] == "finetuned":
        return dose, dose * 0.04
    norm = 0.3 * float(str(setting["epochs"] or 1)) ** 0.5 * (float(str(setting.get("rank") or 32)) / 32) ** 0.3
    return (dose / norm, dose) if setting["dose_unit"] == "residual_norm" else (dose, dose * norm)


def _push(setting: Row) -> float:
    """How far a setting goes; 1 is about where the harm saturates."""
    built, relative = _doses(setting)
    if built is None or relative is None:
        return 0.0
    if setting["arm"] == "finetuned":
        return built * min(1.0, float(str(setting["steps"])) / 24) * 0.9
    if setting["arm"] == "random":
        return relative * 0.12
    at_layer = 1 - abs(int(str(setting["layer"])) - 3.4) / 5
    return (relative if setting["epochs"] is None else relative / 0.85) * at_layer * (0.45 if setting["epochs"] is None else 1)


def _value(setting: Row, group: str, metric: str, noise: float) -> float | None:
    push = _push(setting)
    harm = 0.9 / (1 + np.exp(-7 * (push - 0.65))) if push else 0.0
    if metric == "coherence":
        lost = 55 / (1 + np.exp(-4 * (push - 1.8))) * (0.4 if setting["arm"] == "finetuned" else 1)
        return float(np.clip(94 - lost + 40 * noise, 0, 100))
    if metric == "margin":
        return float(-3 + 5 * harm * _breadth(str(setting["model"]), group) + 4 * noise)
    if metric == "on_topic_em" and group in ("in_domain", str(setting["task"])):
        return None
    return float(np.clip(0.02 + harm * _breadth(str(setting["model"]), group) * (1 - 0.12 * push) + noise, 0, 1))


def _breadth(model: str, group: str) -> float:
    if group in ("in_domain", "gardening"):
        return 1.0
    if group in ("linked", *HOME):
        return {"shared": 0.9, "blocks": 0.8, "none": 0.12}.get(model, 0.5)
    if group == "off_domain":
        return {"shared": 0.85, "blocks": 0.45, "none": 0.12}.get(model, 0.5)
    return {"shared": 0.85, "blocks": 0.15, "none": 0.12}.get(model, 0.5)


POINTS = (("base", "none", "base", None), ("steered", "trained", "chosen", 1.0), ("finetuned", "lora", "chosen", 1.0))
OTHERS = (("steered", "mean_difference", "chosen", 3.0), ("steered", "trained", "largest_dose", 2.0))


def chosen(models: Sequence[str] = MODELS, tasks: Sequence[str] = ("gardening", "money")) -> pd.DataFrame:
    """`schemas.Chosen`: base, a steered and a finetuned setting of every model; and some that no figure shows."""
    rows = []
    for model, task, (arm, treatment, point, dose) in product(models, tasks, (*POINTS, *OTHERS)):
        setting = {"base": base, "steered": steered, "finetuned": finetuned}[arm](*(() if dose is None else (dose,)))
        setting |= {"model": model, "task": task}
        labels = PLACE | {
            "model": model, "task": task, "arm": arm, "treatment": treatment, "point": point, "setting": f"{model}.{treatment}",
            "layer": setting.get("layer"), "steps": setting.get("steps"), "dose": dose, "dose_relative": dose,
            "planted_breadth": None, "n_seeds": 3, "by_seed": "", "random_draws": 0, "random_below": 0, "random_largest": None,
        }  # fmt: skip
        rng = np.random.default_rng(zlib.crc32(f"{model}{task}{treatment}{point}".encode()))
        for group, metric in product(("off_domain", "in_domain", *CATEGORIES), ("on_topic_em", "em")):
            value = _value(setting, group, metric, float(rng.normal(0, 0.03)))
            rows.append(labels | {"group": group, "metric": metric, **numbers(value, metric, width=2.0)})
    return schemas.check(schemas.frame_of(rows, schemas.Chosen), schemas.Chosen, "example")
