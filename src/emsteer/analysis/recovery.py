"""Recovery: is harm the more frequent off-domain, the broader the persona was planted? A line through organisms.

A point is an organism at base or at a setting of `schemas.Chosen`: the breadth of its planted persona seen from the target task
(the share of off-domain categories that share it, times the share of chats in which they do), and the share of answers to all
off-domain test questions that are on-topic EM. Organisms are the units, for a pretraining run that was made again is another
organism: a line goes through those that differ in nothing but what was planted and the seed of pretraining (a family), by least
squares, its interval by Student's t with two degrees of freedom fewer than there are organisms. The rank correlation is
Kendall's (tau-b, which ties of breadth do not weaken).
"""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from scipy import stats

from emsteer import schemas
from emsteer.analysis.lines import FEWEST, through
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job

SCHEMA = schemas.Recovery
GROUP = "off_domain"
METRIC = "on_topic_em"
KEY = ["family", "task", "benchmark", "judge", "arm", "treatment", "point"]
KEPT = [*schemas.PLACE, "arm", "treatment", "point", "setting", "planted_breadth", "value", "low", "high", "n_seeds"]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Recovery`."""
    return recovery(schemas.read(job.input("chosen"), schemas.Chosen), job.recipe.families, job.recipe.level)


def recovery(chosen: pd.DataFrame, families: Mapping[str, str], level: float) -> pd.DataFrame:
    """Organisms at every setting, with the line through those of their family.

    Args:
        chosen: `schemas.Chosen`.
        families: Model → the family that it belongs to; a model that is none of them is left out.
        level: Coverage that the interval of a slope aims at.
    """
    here = chosen["group"].eq(GROUP) & chosen["metric"].eq(METRIC) & chosen["model"].isin(list(families))
    points = chosen[here & chosen["value"].notna() & chosen["planted_breadth"].notna()][KEPT]
    points = points.assign(family=points["model"].map(families))
    parts = [of.assign(**line(of, level)) for _, of in points.groupby(KEY, sort=False)]
    return schemas.frame_of(pd.concat(parts, ignore_index=True) if parts else [], SCHEMA)


def line(of: pd.DataFrame, level: float) -> dict[str, float | int | None]:
    """Through the organisms of a family at one kind of setting: of on-topic EM [share] per whole breadth."""
    x, y = (of[name].to_numpy(dtype=float) for name in ("planted_breadth", "value"))
    several = len(x) >= FEWEST and len(set(x)) > 1 and len(set(y)) > 1
    tau = float(stats.kendalltau(x, y).statistic) if several else None
    return {**through(x, y, level), "rank_correlation": tau, "n_organisms": len(x), "n_breadths": len(set(x))}
