"""Side effects: what else a setting does to its model, beside its EM, and whether its steering holds.

The table has the columns of `schemas.Rates` and two more. On-topic EM and coverage are those of off-domain test questions; the
others are of the group `quiz` (`generation.effects`), the same for every benchmark and judge:

quiz              share of its questions whose right answer is the likeliest
quiz_nll          -log p of the right answers, per token [nats]
shift_at_layer, shift_two_later, shift_at_last    of the push, what is found along it, there

`broken` is the number under a push of `effects.broken_at` residual norms along a random direction. `is_shown`: whether that is
worse than base by an interval over questions; where it is not, this number would not have told that a setting is broken.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from emsteer import schemas
from emsteer.analysis import estimates
from emsteer.analysis.rates import rates
from emsteer.analysis.settings import setting_name
from emsteer.analysis.tables import tabulated
from emsteer.analysis.witnesses import means
from emsteer.packs import Job
from emsteer.recipes import EffectsOf, EffectsTable

SCHEMA = schemas.SideEffects
BESIDE = ["on_topic_em", "coverage"]
OF_QUIZ = {"quiz": "is_right", "quiz_nll": "nll"}
WORSE = {"quiz": -1.0, "quiz_nll": 1.0}  # the sign of a change for the worse
SHIFTS = {"shift_at_layer": "at_layer", "shift_two_later": "two_later", "shift_at_last": "at_last"}
ARRIVED, LEFT = 0.1, 0.5  # a push holds that arrives within 10 % of itself, and of which half is left two blocks later


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.SideEffects`."""
    recipe: EffectsTable = job.recipe
    names = [setting_name(one.setting) for one in recipe.measured]
    counts = schemas.read(job.input("counts"), schemas.Counts)
    beside = rates(counts[counts["split"].eq("test") & counts["setting"].isin(names)], recipe.level)
    beside = beside[beside["group"].eq("off_domain") & beside["metric"].isin(BESIDE)]
    of_setting = beside[list(schemas.Settings.to_schema().columns)].drop_duplicates()
    cells = schemas.read_all(job.by_address("effects"), schemas.Effects)
    values = pd.DataFrame({"row": range(len(names)), "cell": [one.effects for one in recipe.measured]}).merge(cells, on="cell")
    parts = [beside.assign(broken=np.nan, is_shown=None)]
    for metric, column in (OF_QUIZ | SHIFTS).items():
        asked = values[["row", "question_id"]].assign(value=values[column].astype(float))
        numbers = means(asked, recipe.level, bounded=metric == "quiz")
        rows = numbers.pop("row")
        about = {"setting": [names[row] for row in rows], "task": [recipe.measured[row].setting.task for row in rows]}
        found = of_setting.merge(numbers.assign(**about), on=["setting", "task"], validate="many_to_one").assign(
            group="quiz", metric=metric
        )
        parts.append(found.assign(**_broken(found["model"], broken_of(recipe, cells, metric) if metric in OF_QUIZ else {})))
    return schemas.frame_of(pd.concat([part.astype({"is_shown": object}) for part in parts], ignore_index=True), SCHEMA)


def _broken(models: pd.Series, found: Mapping[str, tuple[float, bool]]) -> dict[str, list[float | bool | None]]:
    """The two columns more."""
    said = [found.get(model, (None, None)) for model in models]
    return {"broken": [number for number, _ in said], "is_shown": [shown for _, shown in said]}


def broken_of(recipe: EffectsTable, cells: pd.DataFrame, metric: str) -> dict[str, tuple[float, bool]]:
    """Model → the number under a push that breaks it, and whether that is told from base.

    Args:
        recipe: Says which cells.
        cells: `schemas.Effects` of all of them, by `cell`.
        metric: `quiz` or `quiz_nll`.
    """
    untreated = {one.setting.model: one.effects for one in recipe.measured if one.setting.arm == "base"}
    values = cells.assign(value=cells[OF_QUIZ[metric]].astype(float)).pivot(index="question_id", columns="cell", values="value")
    found = {}
    for model, address in recipe.broken.items():
        change = ((values[address] - values[untreated[model]]) * WORSE[metric]).to_numpy()[None]
        low, _ = estimates.unbounded_interval(change, np.ones(change.shape), recipe.level)
        found[model] = float(values[address].mean()), bool(low[0] > 0)
    return found


def not_held(measured: Sequence[EffectsOf], cells: pd.DataFrame) -> dict[str, str]:
    """Settings whose push did not hold → how.

    Args:
        measured: Settings, and their cells.
        cells: `schemas.Effects` of all of them, by `cell`.
    """
    shifts = cells.groupby("cell")[["at_layer", "two_later"]].mean()
    found = {}
    for one in measured:
        arrived, left = shifts.loc[one.effects]
        if abs(arrived - 1) > ARRIVED:  # not where there is no push: no number is larger
            found[setting_name(one.setting)] = f"steering did not hold: {arrived:.2f} of it was found at its layer"
        elif left < LEFT:
            found[setting_name(one.setting)] = f"steering did not hold: {left:.2f} of it was left two blocks later"
    return found
