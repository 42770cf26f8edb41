"""Rates: every measure of every setting, by group of questions. Dev questions are for choosing settings only."""

from collections.abc import Iterator, Sequence

import pandas as pd

from emsteer import schemas
from emsteer.analysis.measures import blocks, measured
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job

SCHEMA = schemas.Rates
PARTS = {"value": "", "low": "_low", "high": "_high", "n": "_n"}
HEADLINES = ["on_topic_em", "em"]
MORE = ["bound_low", "bound_high", "design_effect", "without_one_low", "without_one_high", "carried_by_two"]  # of headlines
EXCLUDED = ["n_excluded", "n_refusal", "n_incoherent", "n_unparsed", "n_error", "n_unlabelled"]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA, published)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Rates`."""
    return rates(schemas.read(job.input("counts"), schemas.Counts), job.recipe.level)


def rates(counts: pd.DataFrame, level: float) -> pd.DataFrame:
    """`schemas.Counts` → `schemas.Rates`; categories on test questions only."""
    parts = []
    for block in blocks(counts):
        on_test = bool(block.settings["split"].iloc[0] == "test")
        for group, mask in block.groups(categories=on_test):
            labels = block.settings.drop(columns="planted_breadth").assign(group=group)
            parts += [pd.concat([labels, numbers], axis=1) for numbers in measured(block, mask, level)]
    return schemas.frame_of(pd.concat(parts, ignore_index=True) if parts else [], SCHEMA)


def published(rates: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, split and group of questions, categories left out; a column for every metric, bound and n."""
    shown = rates[rates["group"].isin(["off_domain", "in_domain", "linked", "unlinked"])]
    return widened(shown, [*schemas.SETTING, "split", "group"], list(schemas.Settings.to_schema().columns))


def widened(long: pd.DataFrame, key: list[str], labels: list[str]) -> pd.DataFrame:
    """A table with one row per metric as one with one row per key; `labels` are carried along."""
    parts = PARTS | {name: f"_{name}" for name in MORE}
    wide = long.pivot(index=key, columns="metric", values=list(parts))
    shown = {metric: parts if metric in HEADLINES else PARTS for metric in dict.fromkeys(long["metric"])}
    wide = wide[[(part, metric) for metric, of_metric in shown.items() for part in of_metric]]
    wide.columns = [f"{metric}{parts[part]}" for part, metric in wide.columns]
    first = long.drop_duplicates(key)[[*key, *(name for name in labels if name not in key), *EXCLUDED]]
    return first.merge(wide.reset_index(), on=key, validate="one_to_one")
