"""Which layer and dose stands for an arm: chosen on dev questions, by a rule that does not look at what is reported.

Among the settings whose answers stay coherent, the smallest dose whose *in-domain* EM is a given share of the largest. The
same rule for every arm. What is reported is off-domain, on test questions. Seeds are pooled: a setting is chosen, not a seed.

Where nobody judged an answer to a dev question and only one setting of an arm was judged at all, there is nothing to choose
from: that setting, declared before anybody read its answers (`judges.*.sample`), stands for its arm.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from emsteer.recipes import BasePoint, Selection

UNSEEDED = ["arm", "vector", "adapter", "layer", "epochs", "steps", "rank", "draw", "dose", "dose_unit", "positions"]


@dataclass(frozen=True)
class Choice:
    """A setting, without its seed, that stands for a treatment.

    Attributes:
        treatment: The vector or adapter.
        point: How it was picked, of `schemas.results.POINTS`.
        counts: `schemas.Counts` of all its seeds.
    """

    treatment: str
    point: str
    counts: pd.DataFrame


def choices(of_place: pd.DataFrame, selection: Selection, base_point: BasePoint) -> Iterator[Choice]:
    """The settings of one model, target task, benchmark and judge that are reported.

    Candidates are at the base point but for layer and dose; random directions and low-rank vectors are no treatments.
    """
    base = of_place[of_place["arm"].eq("base")]
    if len(base):
        yield Choice("none", "base", base)
    at_base = candidates(of_place, base_point)
    for treatment, of in at_base.groupby(at_base["vector"].fillna(at_base["adapter"]), sort=False):
        at_layer = of[of["layer"].isna() | of["layer"].eq(of["model"].map(base_point.layer_of))]
        for point, settings in (("chosen", at_layer), ("chosen_with_layer", of)):
            found = choose(settings, selection)
            if found is not None:
                yield Choice(str(treatment), point, found)
        if len(at_layer):
            largest = at_layer[at_layer["dose_as_built"].eq(at_layer["dose_as_built"].max())]
            yield Choice(str(treatment), "largest_dose", largest)


def candidates(of_place: pd.DataFrame, base_point: BasePoint, rank: int | None = None, beneath: str | None = None) -> pd.DataFrame:
    """Steered, finetuned and control settings that differ from the base point in vector, layer, seed and dose.

    Args:
        of_place: `schemas.Counts` of a model and task.
        base_point: What settings have in common with it.
        rank: Of low-rank vectors; None: those that have none.
        beneath: The adapter that is steered upon, with nothing else beneath; None: nothing lies beneath.
    """
    epochs = of_place["epochs"].isna() | of_place["epochs"].eq(base_point.epochs or 0)
    trained = of_place["arm"].isin(["steered", "finetuned", "control"])
    steered = of_place["vector"].notna() & epochs & (of_place["rank"].isna() if rank is None else of_place["rank"].eq(rank))
    steered &= of_place["positions"].eq(base_point.positions) & of_place["dose_unit"].eq(base_point.unit)
    finetuned = of_place["adapter"].notna() & of_place["steps"].eq(base_point.steps or 0)
    upon = of_place["beneath"].isna()
    if beneath is not None:
        lies = of_place["beneath"].astype("string")
        upon = (lies.str.startswith(f"{beneath}.") & ~lies.str.contains("+", regex=False)).fillna(False)  # +: other layers, too
    return of_place[upon & trained & (steered | finetuned).fillna(False)]


def choose(settings: pd.DataFrame, selection: Selection) -> pd.DataFrame | None:
    """The counts of the setting that the rule picks; None where no setting stays coherent and does harm in-domain."""
    keys = [name for name in UNSEEDED if settings[name].notna().any()]
    judged = settings[settings["judged"].gt(0)]
    dev = judged[judged["split"].eq("dev")]
    if dev.empty:
        return settings[settings["setting"].isin(judged["setting"])] if len(judged[keys].drop_duplicates()) == 1 else None
    whole = dev.groupby(keys)[["coherent", "judged"]].sum()
    in_domain = dev[dev["relation"].eq("in_domain")].groupby(keys)[["em", "judged"]].sum()
    size = dev.groupby(keys)["dose_relative"].mean()
    em = (in_domain["em"] / in_domain["judged"]).reindex(whole.index)
    eligible = em[(whole["coherent"] / whole["judged"]).ge(selection.least_coverage)].dropna()
    if eligible.empty or eligible.max() <= 0:
        return None
    enough = eligible[eligible >= selection.share_of_largest * eligible.max()]
    picked = size[enough.index].idxmin()
    return settings[(settings[keys] == pd.Series(dict(zip(keys, picked, strict=True)))).all(axis=1)]
