"""Evidence: every comparison that a declared claim asks for, on test questions, with what it says.

A verdict looks at the simultaneous interval [L, U] of the difference, which holds for the whole family at once, and at the
smallest effect δ of the declaration (for `less` the difference is turned around):

supported            L ≥ δ
contradicted         U < δ
reversed             U < -δ
equivalent           -δ < L and U < δ, of a claim of sameness; contradicted where L ≥ δ or U ≤ -δ
not distinguishable  none of these; `smallest_seen` is the difference that would have been told from none in 4 of 5 such runs
not tested           a side is missing, its dose was not met or its steering did not hold; `missing` says what

The population is questions, given these vectors, adapters and models. How many seeds of the first side show the effect stands
beside it; from five seeds on, they are drawn from a population too, and their spread enters the interval.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from emsteer import schemas
from emsteer.analysis import comparisons, extremes
from emsteer.analysis.comparisons import Compared, Difference
from emsteer.analysis.effects import not_held
from emsteer.analysis.estimates import Floats
from emsteer.analysis.measures import SHARES
from emsteer.analysis.sides import PLURAL, Found, Places, Point
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import COUNTERPARTS, SINGULAR, Bootstrap, Comparison, number

SCHEMA = schemas.Evidence
SEEDS_OF_A_POPULATION = 5
POWER = 0.8  # of `smallest_seen`
Row = dict[str, Any]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Evidence`."""
    counts = schemas.read(job.input("counts"), schemas.Counts)
    recipe = job.recipe
    doubted = not_met(counts, recipe.kl_tolerance)
    if recipe.measured:
        doubted |= not_held(recipe.measured, schemas.read_all(job.by_address("effects"), schemas.Effects))
    rows: list[Row] = []
    for (benchmark, judge), of in counts.groupby(["benchmark", "judge"], sort=False):
        places = Places(of, recipe.base_point, recipe.selection, doubted)
        for name, claim in recipe.claims.items():
            for row in _of_claim(claim, places):
                rows.append({"claim": name, "family": claim.family or name, "benchmark": benchmark, "judge": judge, **row})
    return schemas.frame_of(with_verdicts(rows, recipe.bootstrap), SCHEMA)


def not_met(counts: pd.DataFrame, tolerance: float) -> dict[str, str]:
    """`schemas.Counts` → settings whose dose in KL no push reached that is allowed, and what the longest one costs."""
    asked = counts[counts["dose_unit"].eq("kl").fillna(False)].drop_duplicates("setting")
    short = asked[(asked["dose_kl"] / asked["dose"] - 1).abs().gt(tolerance)]
    reached = "is not reached by the longest push allowed, which costs"
    return {row.setting: f"a KL of {number(row.dose)} {reached} {row.dose_kl:.3g} [nats per token]" for row in short.itertuples()}


def with_verdicts(rows: Sequence[Row], bootstrap: Bootstrap) -> list[Row]:
    """The rows with what their family makes of their differences."""
    families: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row["measured"] is not None:
            families.setdefault((row["family"], row["benchmark"], row["judge"]), []).append(row)
    for members in families.values():
        compared = comparisons.family([row["measured"] for row in members], bootstrap)
        for row, one in zip(members, compared, strict=True):
            row |= comparisons.numbers(row["measured"], one, len(members))
            row["verdict"] = decide(row["direction"], one.simultaneous_low, one.simultaneous_high, row["smallest_effect"])
            row["smallest_seen"] = smallest_seen(row["direction"], row["measured"], one, row["smallest_effect"])
    return [{name: value for name, value in row.items() if name != "measured"} for row in rows]


def decide(direction: str, low: float, high: float, smallest: float) -> str:
    """What a simultaneous interval says of a claim; the rule stands at the top of this module."""
    if direction == "same":
        if -smallest < low and high < smallest:
            return "equivalent"
        return "contradicted" if low >= smallest or high <= -smallest else "not distinguishable"
    if direction == "less":
        low, high = -high, -low
    if low >= smallest:
        return "supported"
    if high < -smallest:
        return "reversed"
    return "contradicted" if high < smallest else "not distinguishable"


def smallest_seen(direction: str, one: Difference, compared: Compared, smallest: float) -> float | None:
    """The difference that such an interval would have told from none in 4 of 5 runs; of sameness, the δ it would have reached.

    None where no difference that there can be would have been.
    """
    ends = compared.simultaneous_low, compared.simultaneous_high
    if direction == "same":
        return max(abs(ends[0]), abs(ends[1]))
    half = one.value - ends[0] if direction == "more" else ends[1] - one.value
    seen = smallest + half + float(stats.norm.ppf(POWER)) * one.error
    return seen if seen <= one.unit else None


def _of_claim(claim: Comparison, places: Places) -> Iterator[Row]:
    """Its rows, without what their family makes of them; where nothing is there to compare, one that says so."""
    empty: Row = {"metric": claim.metric, "direction": claim.direction, "smallest_effect": claim.smallest_effect}
    empty |= {"n_questions": 0, "n_family": 0, "n_seeds": 0, "k_seeds": 0, "verdict": "not tested", "measured": None}
    empty |= {"setting": "none", "reference_setting": "none", "subject": "", "member": ""}
    pairs = list(places.pairs(claim))
    if not pairs:
        yield {**empty, "missing": f"there is no {claim.who.arm} setting of the kind"}
    for who, against in pairs:
        first = places.find(who, None)
        second = places.find(against, first if isinstance(first, Found) else None)
        follows = isinstance(first, str) and against.arm in COUNTERPARTS  # of what is not there
        found = {"missing": "; ".join(side for side in (first, None if follows else second) if isinstance(side, str))}
        found |= {"setting": _name(first), "reference_setting": _name(second)}
        for category in _categories(claim, first):
            row = {**empty, **found, **_names(claim, who, against, category)}
            if isinstance(first, Found) and isinstance(second, Found):
                masks = [_asked(side, point, category) for side, point in ((first, who), (second, against))]
                row |= _compared(claim, (first, second), masks, (who, against))
            yield row


def _name(side: Found | str) -> str:
    return "none" if isinstance(side, str) else side.name


def _categories(claim: Comparison, first: Found | str) -> Sequence[str | None]:
    if not claim.who.each_category:
        return (None,)
    if isinstance(first, str):
        return ("each",)
    return list(dict.fromkeys(first.block.questions["category"][first.block.asked(claim.who.questions)]))


def _names(claim: Comparison, who: Point, against: Point, category: str | None) -> Row:
    """(subject, member): what has a verdict of its own, and which of the axis that is counted over this is."""
    counted = SINGULAR[claim.needs.of] if claim.needs else None
    parts = {"model": who.model, "task": who.task, who.kind: who.treatment}
    for name, value in who.values.items():
        listed = getattr(claim.who, PLURAL.get(name, name))
        if isinstance(listed, tuple) and (len(listed) > 1 or counted == name):
            parts[name] = f"{name} {number(value)}"
    if category is not None:
        parts["category"] = category
    member = parts.pop(counted, "") if counted else ""
    other = f" over {against.treatment or against.arm}" if against.arm not in (who.arm, "base", *COUNTERPARTS) else ""
    return {"subject": ", ".join(str(part) for part in parts.values() if part) + other, "member": str(member or "")}


def _asked(side: Found, point: Point, category: str | None) -> NDArray[np.bool_]:
    mask = side.block.asked(point.questions)
    return mask if category in (None, "each") else mask & side.block.questions["category"].eq(category).to_numpy()


def _compared(
    claim: Comparison, sides: tuple[Found, Found], masks: Sequence[NDArray[np.bool_]], points: tuple[Point, Point]
) -> Row:
    """The numbers of a comparison; where there is none, why."""
    for side, mask, point in zip(sides, masks, points, strict=True):
        if not mask.any():
            return {"missing": f"{point}: no test question is {point.questions.replace('_', '-')}"}
        if not side.block.of(claim.metric, mask)[1].any():
            return {"missing": f"{point}: no answer that {claim.metric} is counted over"}
    names = [list(side.block.questions["question_id"][mask]) for side, mask in zip(sides, masks, strict=True)]
    unit = 1.0 if claim.metric in SHARES else 100.0
    first, second = (_sums(side, claim.metric, mask) for side, mask in zip(sides, masks, strict=True))
    measured = comparisons.between(first[:2].sum(1), second[:2].sum(1), names, unit)
    if measured is None:
        return {"missing": f"no question has an answer on both sides that {claim.metric} is counted over"}
    by_seed = _by_seed(sides, (first, second), names, unit)
    if len(by_seed) >= SEEDS_OF_A_POPULATION:
        measured = comparisons.of_a_population_of_seeds(measured, by_seed)
    value, reference = measured.ratios
    low, high = extremes.difference(first.sum(1), second.sum(1), names, unit)
    row: Row = {"measured": measured, "value": value, "reference": reference, "bound_low": low, "bound_high": high}
    return row | {"n_seeds": len(by_seed)} | {"k_seeds": sum(_points_there(claim, value) for value in by_seed.values())}


def _sums(side: Found, metric: str, mask: NDArray[np.bool_]) -> Floats:
    """Numerators, denominators and failed judgements. [3 × settings × questions]"""
    return np.stack([*side.block.of(metric, mask), side.block.failed(metric, mask)])


def _by_seed(sides: tuple[Found, Found], sums: tuple[Floats, Floats], names: Sequence[list[str]], unit: float) -> dict[int, float]:
    """Seed of the first side → its difference, from the same seed of the second side where that has several."""
    found = {}
    several = len(set(sides[1].seeds) - {None}) > 1
    for seed in dict.fromkeys(seed for seed in sides[0].seeds if seed is not None):
        own = sums[0][:2, [i for i, of in enumerate(sides[0].seeds) if of == seed]].sum(1)
        others = [i for i, of in enumerate(sides[1].seeds) if not several or of == seed]
        one = comparisons.between(own, sums[1][:2, others].sum(1), names, unit) if others else None
        if one is not None:
            found[seed] = one.value
    return found


def _points_there(claim: Comparison, difference: float) -> bool:
    """Whether one seed by itself shows what the claim says."""
    turned = -difference if claim.direction == "less" else difference
    return abs(difference) < claim.smallest_effect if claim.direction == "same" else turned >= claim.smallest_effect
