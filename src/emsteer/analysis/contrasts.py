"""Contrasts: on-topic EM of a treated setting minus that of a reference, on the same off-domain questions.

References: `base`; for steered settings also `random`, the random directions at the same setting, all draws together, and
`finetuned`, the adapter of the same seed, at those steps and that scale whose *in-domain* EM on dev questions is nearest: so
much narrow harm, how broad is it? Of what is steered upon an adapter, `beneath`: that adapter alone. Arms share questions and
sampling noise, so they are compared question by question.

A family is what one model, target task, benchmark, judge and split has against one kind of reference (`analysis.comparisons`).
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emsteer import schemas
from emsteer.analysis import comparisons, extremes
from emsteer.analysis.comparisons import Difference
from emsteer.analysis.measures import Block, blocks
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import Bootstrap

SCHEMA = schemas.Contrasts
SAME_SETTING = ["beneath", "vector", "layer", "epochs", "rank", "dose", "dose_unit", "positions"]  # but for seed and draw


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Contrasts`."""
    counts = schemas.read(job.input("counts"), schemas.Counts)
    narrow = in_domain_em(counts)
    rows = [row for block in blocks(counts) for row in _of_block(block, narrow, job.recipe.bootstrap)]
    return schemas.frame_of(rows, SCHEMA)


def in_domain_em(counts: pd.DataFrame) -> dict[tuple[str, ...], float]:
    """Model, task, benchmark, judge and setting → EM of answers to in-domain dev questions, where any was judged."""
    asked = counts[counts["split"].eq("dev") & counts["relation"].eq("in_domain")]
    sums = asked.groupby([*schemas.PLACE, "setting"], sort=False)[["em", "judged"]].sum().query("judged > 0")
    return (sums["em"] / sums["judged"]).to_dict()


def _of_block(block: Block, narrow: Mapping[tuple[str, ...], float], bootstrap: Bootstrap) -> Iterator[dict[str, object]]:
    families: dict[str, list[tuple[dict[str, object], Difference]]] = {}
    for labels, difference in _differences(block, narrow):
        families.setdefault(str(labels["reference"]), []).append((labels, difference))
    for members in families.values():
        compared = comparisons.family([difference for _, difference in members], bootstrap)
        for (labels, difference), found in zip(members, compared, strict=True):
            yield labels | comparisons.numbers(difference, found, len(members))


def _differences(block: Block, narrow: Mapping[tuple[str, ...], float]) -> Iterator[tuple[dict[str, object], Difference]]:
    """Every treated setting with each of its references, where both were judged on some question."""
    settings = block.settings
    off_domain = block.asked("off_domain")
    names = list(block.questions["question_id"][off_domain])
    sums = np.stack([*block.of("on_topic_em", off_domain), block.failed("on_topic_em", off_domain)])
    place = tuple(settings[name].iloc[0] for name in schemas.PLACE)
    em = settings["setting"].map(lambda name: narrow.get((*place, name))).astype(float)
    for index in np.flatnonzero(settings["arm"].isin(["steered", "finetuned", "control"])):
        one = settings.loc[index]
        for reference, others in _references(one, settings, em):
            sides = sums[:, index], sums[:, others].sum(1)
            difference = comparisons.paired(sides[0][:2], sides[1][:2], names) if others.any() else None
            if difference is not None:
                low, high = extremes.difference(*sides, (names, names))
                yield (
                    one.drop("planted_breadth").to_dict()
                    | {
                        "reference": reference,
                        "reference_setting": settings["setting"][others].iloc[0] if others.sum() == 1 else None,
                        "in_domain_em": em[index],
                        "reference_in_domain_em": em[others].mean(),
                        "bound_low": low,
                        "bound_high": high,
                    },
                    difference,
                )


def _references(one: pd.Series, settings: pd.DataFrame, em: pd.Series) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Names of references, and which settings they are."""
    yield "base", settings["arm"].eq("base").to_numpy()
    yield "random", counterparts_of(one, settings)
    yield "finetuned", nearest(one, settings, em)
    yield "beneath", _beneath(one, settings)


def _beneath(one: pd.Series, settings: pd.DataFrame) -> NDArray[np.bool_]:
    """The setting that lies beneath `one`, if there is one."""
    name = None if pd.isna(one["beneath"]) else f"{one['model']}.{one['task']}.{one['beneath']}"
    return settings["setting"].eq(name).to_numpy(dtype=bool)


def nearest(one: pd.Series, settings: pd.DataFrame, em: pd.Series) -> NDArray[np.bool_]:
    """The finetuned setting of the seed of `one` whose in-domain EM is nearest; of equals the smallest change of the weights.

    `one` is a row of `settings`, `em` has a value for each. None where `one` is not steered or did no in-domain harm: there
    is nothing to match. What has no seed is compared with those of every seed.
    """
    tuned = settings["arm"].eq("finetuned") & settings["beneath"].isna()
    if not pd.isna(one["seed"]):
        tuned &= settings["seed"].eq(one["seed"]).fillna(False)
    found = np.zeros(len(settings), dtype=bool)
    if one["arm"] == "steered" and em[one.name] > 0 and em[tuned].notna().any():
        distance = pd.DataFrame({"away": (em[tuned] - em[one.name]).abs().round(9), "size": settings["dose_relative"][tuned]})
        found[distance.dropna(subset="away").sort_values(["away", "size"]).index[0]] = True
    return found


def counterparts_of(one: pd.Series, settings: pd.DataFrame, arm: str = "random") -> NDArray[np.bool_]:
    """Which settings are counterparts of an arm at the setting of `one`, whatever the seed of the vector that they stand for."""
    same = settings["arm"].eq(arm)
    beneath = settings["beneath"].astype("string").str.replace(rf"\.{arm}\d*(?=\.)", "", regex=True)  # of other layers, theirs too
    settings = settings.assign(beneath=beneath)
    for name in SAME_SETTING:
        same &= settings[name].isna() if pd.isna(one[name]) else settings[name].eq(one[name]).fillna(False)
    return same.to_numpy(dtype=bool)
