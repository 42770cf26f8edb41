"""Chosen: what each arm does at its chosen setting and at its largest dose, beside base, on test questions.

What was chosen looks better on the questions it was chosen on: the same number on dev questions stands beside it, and the
difference (`optimism`). Seeds are pooled, and each seed's value is printed. A steered setting is ranked among the random
directions of equal norm.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emsteer import schemas
from emsteer.analysis.contrasts import counterparts_of
from emsteer.analysis.measures import METRICS, Block, blocks, measured, pooled, values
from emsteer.analysis.rates import HEADLINES, widened
from emsteer.analysis.selection import Choice, choices
from emsteer.analysis.settings import name_of
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job

SCHEMA = schemas.Chosen
LABELS = ["arm", "treatment", "point", "setting", "layer", "steps", "dose", "dose_relative", "planted_breadth", "n_seeds"]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA, published)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Chosen`."""
    counts = schemas.read(job.input("counts"), schemas.Counts)
    parts = []
    for _, of_place in counts.groupby(schemas.PLACE, sort=False):
        found = list(choices(of_place, job.recipe.selection, job.recipe.base_point))
        parts += list(_measures(found, of_place, job.recipe.level)) if found else []
    return schemas.frame_of(pd.concat(parts, ignore_index=True) if parts else [], SCHEMA)


def published(chosen: pd.DataFrame) -> pd.DataFrame:
    """One row per setting and group of questions, categories left out; ranks among random directions are of on-topic EM."""
    shown = chosen[chosen["group"].isin(["off_domain", "in_domain", "linked", "unlinked"])]
    key = [*schemas.PLACE, "arm", "treatment", "point", "group"]
    wide = widened(shown, key, [*schemas.PLACE, *LABELS])
    ranks = ["by_seed", "random_draws", "random_below", "random_largest"]
    of_headline = shown[shown["metric"].eq("on_topic_em")][[*key, *ranks]]
    for metric in HEADLINES:
        of_metric = shown[shown["metric"].eq(metric)].set_index(key)[["dev", "optimism"]].add_prefix(f"{metric}_")
        of_headline = of_headline.merge(of_metric.reset_index(), on=key, validate="one_to_one")
    return wide.merge(of_headline, on=key, validate="one_to_one")


def _measures(found: Sequence[Choice], of_place: pd.DataFrame, level: float) -> Iterator[pd.DataFrame]:
    """Every measure of the chosen settings: one frame per group and metric, one row a choice."""
    tested = [choice.counts[choice.counts["split"].eq("test")] for choice in found]
    (whole,) = blocks(pd.concat([pooled(of, str(index)) for index, of in enumerate(tested)]))
    seeds = [next(blocks(of)) for of in tested]
    randoms = [_randoms(of.iloc[0], of_place) for of in tested]
    labels = pd.DataFrame([_labels(*one) for one in zip(found, tested, seeds, strict=True)])
    on_dev = [_on_dev(choice) for choice in found]
    for group, mask in whole.groups(categories=True):
        for numbers in measured(whole, mask, level):
            metric = str(numbers["metric"].iloc[0])
            ranks = [rank_among(drawn, value, metric, mask) for value, drawn in zip(numbers["value"], randoms, strict=True)]
            by_seed = [_by_seed(of, metric, mask) for of in seeds]
            dev = np.array([of.get((group, metric), np.nan) for of in on_dev])
            more = {"group": group, "by_seed": by_seed, "dev": dev, "optimism": dev - numbers["value"]}
            yield pd.concat([labels.assign(**more), numbers, pd.DataFrame(ranks)], axis=1)


def _on_dev(choice: Choice) -> dict[tuple[str, str], float]:
    """Group and metric → value on dev questions, seeds pooled; nothing where there are none."""
    asked = choice.counts[choice.counts["split"].eq("dev")]
    if asked.empty:
        return {}
    block = next(blocks(pooled(asked, "dev")))
    groups = list(block.groups(categories=True))
    return {(group, metric): float(values(block, metric, mask)[0]) for group, mask in groups for metric in METRICS}


def _labels(choice: Choice, tested: pd.DataFrame, seeds: Block) -> dict[str, object]:
    first = tested.iloc[0]
    return {name: first[name] for name in (*schemas.PLACE, "arm", "layer", "steps", "dose", "planted_breadth")} | {
        "treatment": choice.treatment,
        "point": choice.point,
        "setting": name_of(first, seeded=False),
        "dose_relative": seeds.settings["dose_relative"].mean(),
        "n_seeds": len(seeds.settings),
    }


def _by_seed(seeds: Block, metric: str, mask: NDArray[np.bool_]) -> str:
    """`0: 0.42, 1: 0.38`; empty for settings without a seed."""
    pairs = zip(seeds.settings["seed"], values(seeds, metric, mask), strict=True)
    return ", ".join(f"{seed}: {value:.4g}" for seed, value in pairs if not pd.isna(seed))


def _randoms(first: pd.Series, of_place: pd.DataFrame) -> Block | None:
    of_test = of_place[of_place["split"].eq("test")]
    found = of_test[counterparts_of(first, of_test)] if first["arm"] in ("steered", "control") else of_test.iloc[:0]
    return next(blocks(found), None)


def rank_among(randoms: Block | None, value: float, metric: str, mask: NDArray[np.bool_]) -> dict[str, float | int | None]:
    """How many random directions there are, how many have a smaller value, and the largest value of one."""
    drawn = values(randoms, metric, mask) if randoms is not None else np.empty(0)
    drawn = drawn[~np.isnan(drawn)]
    largest = float(drawn.max()) if drawn.size else None
    return {"random_draws": drawn.size, "random_below": int((drawn < value).sum()), "random_largest": largest}
