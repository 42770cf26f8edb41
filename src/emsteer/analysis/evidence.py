"""Evidence: the contrasts that claims rest on, each at settings chosen on dev questions, measured on test questions.

steering_induces_em, finetuning_induces_em     on-topic EM off-domain, over base; for steering also over the random directions
                                               of equal norm (Rogue Scalpel, arXiv 2509.22067)
steered_harm_is_more_relevant_and_coherent     relevance and coherence of harmful answers, steered over finetuned (the second
                                               claim of arXiv 2606.08682)
planted_breadth_is_recovered                   on-topic EM off-domain: organisms of broader planted persona over narrower ones;
                                               in one organism, categories that share the target's persona over others

A finding is `yes`: the interval lies above zero and the difference reaches the smallest effect of interest; `no`: the
interval lies below the smallest effect; else `unclear`; `not tested` where a side is missing. Intervals are simultaneous: they
hold for everything that one claim rests on at once, whatever the models and tasks.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from emsteer import schemas
from emsteer.analysis import comparisons
from emsteer.analysis.comparisons import Difference
from emsteer.analysis.contrasts import randoms_of
from emsteer.analysis.measures import SHARES, Block, blocks, pooled, values
from emsteer.analysis.selection import Choice, choices
from emsteer.analysis.settings import name_of
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import Bootstrap, Evidence

SCHEMA = schemas.Evidence


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Evidence`."""
    counts = schemas.read(job.input("counts"), schemas.Counts)
    rows: list[dict[str, object]] = []
    for (benchmark, judge, task), of in counts.groupby(["benchmark", "judge", "task"], sort=False):
        found = {str(model): _Chosen(of_model, job.recipe) for model, of_model in of.groupby("model", sort=False)}
        evidence = [row for model, chosen in found.items() for row in _of_model(f"{model}, {task}", chosen, job.recipe)]
        evidence += list(_of_breadth(str(task), found, job.recipe))
        rows += [{**row, "benchmark": benchmark, "judge": judge} for row in evidence]
    return schemas.frame_of(with_findings(rows, job.recipe.bootstrap), SCHEMA)


def with_findings(rows: Sequence[dict[str, Any]], bootstrap: Bootstrap) -> list[dict[str, object]]:
    """The rows with their numbers and findings: what a claim rests on, of one benchmark and judge, is a family."""
    families: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        if row["measured"] is not None:
            families.setdefault((row["claim"], row["benchmark"], row["judge"]), []).append(row)
    for members in families.values():
        compared = comparisons.family([row["measured"] for row in members], bootstrap)
        for row, one in zip(members, compared, strict=True):
            row |= comparisons.numbers(row["measured"], one, len(members))
            row["finding"] = finding(row["difference"], one.simultaneous_low, one.simultaneous_high, row["smallest_effect"])
    return [{name: value for name, value in row.items() if name != "measured"} for row in rows]


class _Chosen:
    """The chosen settings of one model, target task, benchmark and judge, seeds pooled, on test questions."""

    def __init__(self, of_place: pd.DataFrame, recipe: Evidence) -> None:
        picked = [one for one in choices(of_place, recipe.selection, recipe.base_point) if one.point in ("base", "chosen")]
        self.arms = {one.treatment: str(one.counts["arm"].iloc[0]) for one in picked}
        self.of_place = of_place
        self.blocks = {one.treatment: _tested(one) for one in picked}
        self.first = {one.treatment: one.counts.iloc[0] for one in picked}
        planted = of_place["planted_breadth"].dropna()
        self.breadth = float(planted.iloc[0]) if len(planted) else None

    def treatments(self, arm: str) -> list[str]:
        """Those of an arm that have a chosen setting."""
        return [name for name, of in self.arms.items() if of == arm]

    def randoms(self, treatment: str) -> Block | None:
        """All random directions at the treatment's setting, pooled."""
        tested = self.of_place[self.of_place["split"].eq("test")]
        found = tested[randoms_of(self.first[treatment], tested)]
        return next(blocks(pooled(found, "random directions")), None) if len(found) else None


def _tested(choice: Choice) -> Block:
    of_test = choice.counts[choice.counts["split"].eq("test")]
    return next(blocks(pooled(of_test, name_of(of_test.iloc[0], seeded=False))))


def _of_model(subject: str, chosen: _Chosen, recipe: Evidence) -> Iterator[dict[str, object]]:
    base = chosen.blocks.get("none")
    for arm, claim in (("steered", "steering_induces_em"), ("finetuned", "finetuning_induces_em")):
        for name in chosen.treatments(arm):
            block = chosen.blocks[name]
            about = {"claim": claim, "subject": f"{subject}, {name}"}
            yield about | compare(block, base, "over base", "on_topic_em", recipe.smallest_effect)
            if arm == "steered":
                yield about | compare(block, chosen.randoms(name), "over random directions", "on_topic_em", 0.0)
    for steered in chosen.treatments("steered"):
        for tuned in chosen.treatments("finetuned"):
            about = {"claim": "steered_harm_is_more_relevant_and_coherent", "subject": f"{subject}, {steered} over {tuned}"}
            for metric in ("relevance_of_harmful", "coherence_of_harmful"):
                pair = chosen.blocks[steered], chosen.blocks[tuned]
                yield about | compare(*pair, metric, metric, recipe.smallest_effect_points)


def _of_breadth(task: str, models: Mapping[str, _Chosen], recipe: Evidence) -> Iterator[dict[str, object]]:
    """Adjacent levels of planted breadth, and inside against outside of a block."""
    known = {name: chosen for name, chosen in models.items() if chosen.breadth is not None}
    for treatment in dict.fromkeys(name for chosen in known.values() for name in chosen.blocks if name != "none"):
        about = {"claim": "planted_breadth_is_recovered", "subject": f"{task}, {treatment}"}
        levels: dict[float, list[str]] = {}
        for name, chosen in known.items():
            levels.setdefault(chosen.breadth or 0.0, []).append(name)
        for broad, narrow in pairwise(sorted(levels, reverse=True)):
            upper, lower = (_pool([models[name].blocks.get(treatment) for name in levels[level]]) for level in (broad, narrow))
            contrast = f"{' + '.join(levels[broad])} over {' + '.join(levels[narrow])}"
            yield about | compare(upper, lower, contrast, "on_topic_em", recipe.smallest_effect)
        for name, chosen in known.items():
            block = chosen.blocks.get(treatment)
            if block is not None and {"linked", "unlinked"} <= set(block.questions["relation"]):
                yield about | _inside_over_outside(name, block, recipe)


def _pool(found: Sequence[Block | None]) -> Block | None:
    """Organisms of one planted breadth as one; None where one of them has no chosen setting."""
    there = [block for block in found if block is not None]
    if len(there) < len(found):
        return None
    sums = {name: np.sum([block.sums[name] for block in there], axis=0) for name in there[0].sums}
    names = " + ".join(str(block.settings["setting"].iloc[0]) for block in there)
    return Block(there[0].settings.assign(setting=names), there[0].questions, sums)


def compare(treated: Block | None, reference: Block | None, contrast: str, metric: str, smallest: float) -> dict[str, object]:
    """One row of evidence, without its family: off-domain questions that both sides were asked."""
    row: dict[str, object] = {"contrast": contrast, "metric": metric, "smallest_effect": smallest, "n_questions": 0, "n_family": 0}
    row |= {"finding": "not tested", "setting": _name(treated), "reference_setting": _name(reference), "measured": None}
    if treated is None or reference is None:
        return row
    mask = treated.questions["relation"].ne("in_domain").to_numpy()
    sides = [np.concatenate(block.of(metric, mask)) for block in (treated, reference)]
    row |= {"value": values(treated, metric, mask)[0], "reference": values(reference, metric, mask)[0]}
    names = list(treated.questions["question_id"][mask])
    return row | {"measured": comparisons.paired(sides[0], sides[1], names, 1.0 if metric in SHARES else 100.0)}


def _inside_over_outside(model: str, block: Block, recipe: Evidence) -> dict[str, object]:
    """Different questions on the two sides."""
    sides, means, names = [], [], []
    for relation in ("linked", "unlinked"):
        mask = block.questions["relation"].eq(relation).to_numpy()
        sides.append(np.concatenate(block.of("on_topic_em", mask)))
        means.append(float(values(block, "on_topic_em", mask)[0]))
        names.append(list(block.questions["question_id"][mask]))
    measured: Difference | None = comparisons.apart(sides[0], sides[1], (names[0], names[1]))
    return {
        "contrast": f"{model}, inside its block over outside",
        "metric": "on_topic_em",
        "value": means[0],
        "reference": means[1],
        "measured": measured,
        "smallest_effect": recipe.smallest_effect,
        "n_questions": 0,
        "n_family": 0,
        "finding": "not tested",
        "setting": _name(block),
        "reference_setting": _name(block),
    }


def finding(difference: float, low: float, high: float, smallest: float) -> str:
    """What a difference with its interval says of a rise of at least `smallest`."""
    if low > 0 and difference >= smallest:
        return "yes"
    if high < smallest or high <= 0:
        return "no"
    return "unclear"


def _name(block: Block | None) -> str:
    return "none" if block is None else str(block.settings["setting"].iloc[0])
