"""Claims of the study file."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from emsteer import recipes
from emsteer.mistakes import meant
from emsteer.recipes import SINGULAR
from emsteer.study.shape import Section

OF_ARM = {
    "steered": ("vectors", "layers", "epochs", "ranks", "unit", "positions", "beneath", "doses"),
    "control": ("vectors", "adapters", "layers", "epochs", "ranks", "steps", "unit", "positions", "beneath", "doses"),
    "finetuned": ("adapters", "steps", "doses"),
    "base": (),
    **dict.fromkeys(recipes.COUNTERPARTS, ()),
}
Mistake = tuple[tuple[str | int, ...], str, object]


class Claim(Section):
    """A claim that the study decides: who, against whom, in what, which way, by how much, in how many."""

    says: str = Field(min_length=1, description="in a sentence that the report shows")
    source: str | None = Field(None, description="whose claim it is; left out: ours")
    declared: str = Field(description="the day on which it was written as it stands, YYYY-MM-DD")
    who: recipes.Who
    against: recipes.Against
    metric: recipes.Metric
    direction: Literal["more", "less", "same"] = Field(description="of `who`, against the other side; same: neither")
    smallest_effect: float = Field(gt=0, le=100, description="a smaller difference is called none [share, or points of 100]")
    needs: recipes.Needs | None = Field(None, description="left out: a verdict for each combination")
    family: str | None = Field(None, description="claims of one family are corrected together; left out: the claim by itself")

    @field_validator("declared")
    @classmethod
    def _is_a_day(cls, declared: str) -> str:
        try:
            date.fromisoformat(declared)
        except ValueError:
            raise ValueError("expected a day, YYYY-MM-DD") from None
        return declared

    def comparison(self) -> recipes.Comparison:
        """What decides it; lists in one order, because theirs means nothing."""
        given = self.model_dump(exclude={"says", "source", "declared"})
        given["who"] = {name: sorted(value) if isinstance(value, tuple) else value for name, value in given["who"].items()}
        return recipes.Comparison.model_validate(given)


def in_claims(claims: Mapping[str, Claim], rest: Mapping[str, Any]) -> Iterator[Mistake]:
    """Names that nothing has, values of another arm, counts that cannot be reached."""
    for name, claim in claims.items():
        found = [*_unknown(claim, rest), *_of_another_arm(claim), *_unreachable(claim)]
        if claim.metric in get_args(recipes.ShareMetric) and claim.smallest_effect > 1:
            found.append((("smallest_effect",), f"expected a share of at most 1: {claim.metric} is one", claim.smallest_effect))
        if claim.against == recipes.Against():
            found.append(
                (("against",), "expected something in which the other side differs; `arm: base` is the untreated model", {})
            )
        yield from (((name, *place), message, value) for place, message, value in found)


def _unknown(claim: Claim, rest: Mapping[str, Any]) -> Iterator[Mistake]:
    for section in ("models", "tasks", "vectors", "adapters"):
        if section not in rest:
            continue  # has a mistake of its own
        given: list[tuple[tuple[str | int, ...], str]]
        given = [(("who", section, i), name) for i, name in enumerate(getattr(claim.who, section) or ())]
        given += [(("against", SINGULAR[section]), name) for name in [getattr(claim.against, SINGULAR[section])] if name]
        given += [(("who", "beneath"), claim.who.beneath)] if section == "adapters" and claim.who.beneath else []
        for place, name in given:
            if name not in rest[section]:
                hint = meant(name, rest[section])
                yield place, f"expected one of {sorted(rest[section])} (defined under `{section}`){hint}", name


def _of_another_arm(claim: Claim) -> Iterator[Mistake]:
    for axis in OF_ARM["control"]:
        name, other = SINGULAR.get(axis, axis), claim.against.arm or claim.who.arm
        if axis not in OF_ARM[claim.who.arm] and getattr(claim.who, axis) is not None:
            yield ("who", axis), f"expected none: the {claim.who.arm} arm has no {axis}", _given(claim.who, axis)
        if axis not in OF_ARM[other] and getattr(claim.against, name, None) is not None:
            yield ("against", name), f"expected none: the {other} arm has no {axis}", getattr(claim.against, name)


def _given(who: recipes.Who, axis: str) -> object:
    """As the file has it."""
    value = getattr(who, axis)
    return list(value) if isinstance(value, tuple) else value


def _unreachable(claim: Claim) -> Iterator[Mistake]:
    if claim.needs is None:
        return
    axis = claim.needs.of
    listed = True if axis == "categories" else getattr(claim.who, axis)
    if axis == "categories" and not claim.who.each_category:
        yield ("needs", "of"), "expected `each_category: true` under `who`", axis
    if listed is None and axis not in ("models", "tasks", "vectors", "adapters"):
        yield ("needs", "of"), f"expected `{axis}` under `who`", axis
    if isinstance(listed, tuple) and claim.needs.at_least != "all" and claim.needs.at_least > len(listed):
        yield ("needs", "at_least"), f"expected at most {len(listed)}, the {axis} of `who`", claim.needs.at_least
