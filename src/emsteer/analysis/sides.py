"""The two sides of a declared comparison: which settings each of them is, and what they answered.

A side is a point: an arm, a model, a target task, a treatment, and the values that its declaration gives. Values that it leaves
out are those of the base point; a dose that it leaves out is chosen on dev questions (`analysis.selection`). Either it is found
among the counts, or the reason why not is.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from emsteer.analysis.contrasts import counterparts_of
from emsteer.analysis.measures import Block, blocks
from emsteer.analysis.selection import candidates, choose
from emsteer.analysis.settings import name_of
from emsteer.recipes import COUNTERPARTS, SINGULAR, Against, BasePoint, Comparison, Selection, Who, number

UNNAMED = {  # arms whose settings are no treatments that the study file names, and what they are called
    "base": "base",
    "random": "random directions",
    "negated": "the other way",
    "shuffled": "shuffled labels",
    "subspace": "random subspaces",
}
PLURAL = {one: many for many, one in SINGULAR.items()}
OF_KIND = {"vector": ("layer", "epochs", "rank", "unit", "positions", "beneath", "dose"), "adapter": ("steps", "dose")}


@dataclass(frozen=True)
class Point:
    """Where one side of a comparison stands.

    Attributes:
        kind: `vector` or `adapter`; of a control either.
        treatment: Its name; None: any.
        values: What the declaration says of layer, epochs, rank, steps, unit, positions, what lies beneath, and dose.
        questions: Which of them.
    """

    arm: str
    model: str
    task: str
    kind: str
    treatment: str | None
    values: Mapping[str, Any]
    questions: str

    def __str__(self) -> str:
        """As messages name it: `shared, gardening, trained, layer 3`."""
        if self.arm in UNNAMED:
            return f"{self.model}, {UNNAMED[self.arm]}"
        said = [f"{name} {value}" if isinstance(value, str) else f"{name} {number(value)}" for name, value in self.values.items()]
        return ", ".join([self.model, self.task, self.treatment or f"any {self.arm} treatment", *said])


@dataclass(frozen=True)
class Found:
    """The settings of a point on test questions; a row of the block for each seed, of what is drawn for each draw.

    Attributes:
        name: Of the setting, without its seed.
        seeds: Of the rows of the block.
        first: One of its settings, a row of `schemas.Counts`.
    """

    block: Block
    name: str
    seeds: Sequence[int | None]
    first: pd.Series


class Places:
    """The counts of one benchmark and judge, and the rule by which a dose is chosen there."""

    def __init__(self, counts: pd.DataFrame, base_point: BasePoint, selection: Selection, doubted: Mapping[str, str]) -> None:
        """`doubted`: settings that no verdict may rest on, and why."""
        self.of: dict[tuple[str, str], pd.DataFrame] = dict(iter(counts.groupby(["model", "task"], sort=False)))
        self.base_point = base_point
        self.selection = selection
        self.doubted = doubted
        self.known: dict[tuple[object, ...], Found | str] = {}

    def pairs(self, claim: Comparison) -> Iterator[tuple[Point, Point]]:
        """Every comparison that a claim asks for, whether or not its settings are there."""
        for who in self._firsts(claim.who):
            for against in self._seconds(who, claim.against):
                yield who, against

    def _firsts(self, who: Who) -> Iterator[Point]:
        """What is listed, whether it is there or not; of what is left out, that which is there."""
        there = [place for place, of in self.of.items() if of["arm"].eq(who.arm).any()]
        kind = "adapter" if who.arm == "finetuned" or who.adapters else "vector"
        named = who.adapters if kind == "adapter" else who.vectors
        axes = {name: given for name in OF_KIND[kind] if (given := _given(who, name)) is not None}
        combinations = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
        models = who.models or dict.fromkeys(model for model, _ in there)
        tasks = who.tasks or dict.fromkeys(task for _, task in there)
        for model, task in itertools.product(models, tasks):
            points = [Point(who.arm, model, task, kind, None, values, who.questions) for values in combinations]
            found = {name: None for point in points for name in self.treatments(point)}
            listed = bool(who.models and who.tasks and named)
            for name in (named or found) if listed else [name for name in named or found if name in found]:
                yield from (replace(point, treatment=name) for point in points)

    def _seconds(self, who: Point, given: Against) -> Iterator[Point]:
        arm = given.arm or who.arm
        place = {"model": given.model or who.model, "task": given.task or who.task, "questions": given.questions or who.questions}
        kind = who.kind if arm == who.arm else "adapter" if arm == "finetuned" or given.adapter else "vector"
        named = given.adapter or given.vector
        values = {name: value for name in OF_KIND[kind] if (value := getattr(given, name, None)) is not None}
        if arm in (who.arm, *UNNAMED):
            yield replace(who, arm=arm, treatment=named or who.treatment, values={**who.values, **values}, **place)
            return
        point = Point(arm, kind=kind, treatment=named, values=values, **place)
        yield from [point] if named else [replace(point, treatment=name) for name in self.treatments(point)] or [point]

    def treatments(self, point: Point) -> list[str]:
        """Vectors or adapters that have settings at a point."""
        found = self._candidates(point)
        return list(dict.fromkeys(found[point.kind])) if len(found) else []

    def _candidates(self, point: Point) -> pd.DataFrame:
        """Settings at the point, of any treatment that it does not name, at any dose that it does not name."""
        of = self.of.get((point.model, point.task), pd.DataFrame())
        if of.empty:
            return of
        at = {name: value for name, value in point.values.items() if name in ("epochs", "steps", "unit", "positions")}
        base_point = self.base_point.model_copy(update=at)
        found = candidates(of, base_point, point.values.get("rank"), point.values.get("beneath"))
        exact: dict[str, Any] = {"arm": point.arm, point.kind: point.treatment} if point.treatment else {"arm": point.arm}
        exact |= {name: value for name, value in point.values.items() if name in ("layer", "epochs", "dose")}
        if point.kind == "vector":
            exact.setdefault("layer", self.base_point.layer_of(point.model))
        return found[np.logical_and.reduce([found[name].eq(value).fillna(False) for name, value in exact.items()]).astype(bool)]

    def find(self, point: Point, beside: Found | None) -> Found | str:
        """The settings of a point, or why there are none; `beside`: what a counterpart stands for."""
        if point.arm in COUNTERPARTS:
            return self._find(point, beside)
        key = (
            point.arm,
            point.model,
            point.task,
            point.kind,
            point.treatment,
            *point.values.items(),
        )  # several claims are about one
        if key not in self.known:
            self.known[key] = self._find(point, beside)
        return self.known[key]

    def _find(self, point: Point, beside: Found | None) -> Found | str:
        of = self.of.get((point.model, point.task), pd.DataFrame())
        if point.arm == "base":
            return self._tested(of[of["arm"].eq("base")], f"{point.model}.base", point) if len(of) else _none(point)
        if point.arm in COUNTERPARTS:
            if beside is not None and beside.block.settings["beneath"].nunique() > 1:
                return f"{point}: stands for one of several seeds of what lies beneath, and the other side is all of them"
            found = of[counterparts_of(beside.first, of, point.arm)] if beside is not None and len(of) else of[:0]
            return self._tested(found, UNNAMED[point.arm], point)
        found = self._candidates(point)
        if found.empty:
            return _none(point)
        if "dose" not in point.values:
            chosen = choose(found, self.selection)
            if chosen is None:
                return f"{point}: on dev questions no dose was coherent and did harm in-domain"
            found = chosen
        return self._tested(found, name_of(found.iloc[0], seeded=False), point)

    def _tested(self, found: pd.DataFrame, name: str, point: Point) -> Found | str:
        tested = found[found["split"].eq("test") & found["judged"].gt(0)]
        if tested.empty:
            return f"{point}: no answer to a test question was judged" if len(found) else _none(point)
        doubts = [self.doubted[name] for name in tested["setting"].unique() if name in self.doubted]
        if doubts:
            return f"{point}: {doubts[0]}"
        block = next(blocks(tested))
        seeds = [None if pd.isna(seed) else int(seed) for seed in block.settings["seed"]]
        return Found(block, name, seeds, tested.iloc[0])


def _given(who: Who, name: str) -> tuple[Any, ...] | None:
    """What a declaration lists for an axis."""
    if name in ("unit", "positions", "beneath"):
        value = getattr(who, name)
        return None if value is None else (value,)
    listed: tuple[Any, ...] | None = getattr(who, PLURAL[name])
    return listed


def _none(point: Point) -> str:
    return f"{point}: there is no such setting"
