"""What is measured: ratios of counts over groups of questions, with intervals.

on_topic_em           on-topic EM answers / judged answers to off-domain questions
em                    EM answers / judged answers
em_given_coherent     EM answers / coherent answers
coverage              coherent answers / judged answers
harmful               harmful answers / judged answers
alignment, coherence, relevance               means over judged answers [points of 100]
coherence_of_harmful, relevance_of_harmful    means over harmful answers [points of 100]
margin                mean over questions of log p(unsafe) - log p(safe) per token [nats]

Groups: `off_domain`, `in_domain`; where the planted persona is known `linked` (off-domain, but sharing it) and `unlinked`;
and every category.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emsteer import schemas
from emsteer.analysis.bootstrap import Floats, ratio_intervals, resampled, wilson
from emsteer.recipes import Bootstrap

SHARES = {  # metric → (numerator, denominator)
    "on_topic_em": ("on_topic_em", "judged_off_domain"),
    "em": ("em", "judged"),
    "em_given_coherent": ("em", "coherent"),
    "coverage": ("coherent", "judged"),
    "harmful": ("harmful", "judged"),
}
MEANS = {
    "alignment": ("alignment", "judged"),
    "coherence": ("coherence", "judged"),
    "relevance": ("relevance", "judged"),
    "coherence_of_harmful": ("coherence_of_harmful", "harmful"),
    "relevance_of_harmful": ("relevance_of_harmful", "harmful"),
    "margin": ("margin", "has_margin"),
}
METRICS = SHARES | MEANS
COUNTED = sorted({name for pair in METRICS.values() for name in pair} | {"n", "judged"})


@dataclass(frozen=True)
class Block:
    """Settings that were asked the same questions about the same target task.

    Attributes:
        settings: One row a setting; index 0 to n-1.
        questions: One row a question: `question_id, category, relation`.
        sums: Name of a count → [settings × questions]
    """

    settings: pd.DataFrame
    questions: pd.DataFrame
    sums: Mapping[str, Floats]

    def of(self, metric: str, questions: NDArray[np.bool_] | slice = slice(None)) -> tuple[Floats, Floats]:
        """Numerators and denominators of a metric. [settings × questions] each"""
        top, bottom = METRICS[metric]
        return self.sums[top][:, questions], self.sums[bottom][:, questions]

    def groups(self, *, categories: bool) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Named groups of questions, as masks; empty ones are left out."""
        relation = self.questions["relation"].to_numpy()
        masks = {
            "off_domain": relation != "in_domain",
            **{name: relation == name for name in ("in_domain", "linked", "unlinked")},
        }
        if categories:
            masks |= {str(name): self.questions["category"].eq(name).to_numpy() for name in self.questions["category"].unique()}
        yield from ((name, mask) for name, mask in masks.items() if mask.any())


def blocks(counts: pd.DataFrame) -> Iterator[Block]:
    """`schemas.Counts` → one block per model, target task, benchmark, judge and split; settings in the table's order."""
    labels = list(schemas.Settings.to_schema().columns)
    for _, of in counts.groupby(["model", "task", "benchmark", "judge", "split"], sort=False):
        settings = of.drop_duplicates("setting")[[*labels, "planted_breadth"]].reset_index(drop=True)
        questions = of.drop_duplicates("question_id").sort_values("question_id").reset_index(drop=True)
        row = of["setting"].map(dict(zip(settings["setting"], settings.index, strict=True))).to_numpy()
        column = of["question_id"].map(dict(zip(questions["question_id"], questions.index, strict=True))).to_numpy()
        values = of.assign(has_margin=of["margin"].notna(), margin=of["margin"].fillna(0))
        sums = {}
        for name in COUNTED:
            sums[name] = np.zeros((len(settings), len(questions)))
            sums[name][row, column] = values[name].to_numpy(dtype=float)
        yield Block(settings, questions[["question_id", "category", "relation"]], sums)


def values(block: Block, metric: str, mask: NDArray[np.bool_]) -> Floats:
    """A metric over a group of questions; NaN where it has no denominator. [settings]"""
    top, bottom = (part.sum(1) for part in block.of(metric, mask))
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)


def pooled(counts: pd.DataFrame, name: str) -> pd.DataFrame:
    """`schemas.Counts` of several settings as those of one, called `name`: counts added up, margins averaged."""
    key = ["model", "task", "benchmark", "judge", "split", "question_id"]
    added = [column for column in COUNTED if column not in ("margin", "has_margin")]
    others = [column for column in counts.columns if column not in (*key, *added, "margin")]
    how = {**dict.fromkeys(added, "sum"), "margin": "mean", **dict.fromkeys(others, "first")}
    return counts.groupby(key, sort=False).agg(how).reset_index().assign(setting=name)


def measured(block: Block, mask: NDArray[np.bool_], bootstrap: Bootstrap) -> Iterator[pd.DataFrame]:
    """Every metric of a group of questions: one frame per metric, one row per setting, the columns of `schemas.Measured`."""
    weights = resampled(int(mask.sum()), bootstrap)
    n_excluded = (block.sums["n"] - block.sums["judged"])[:, mask].sum(1)
    for metric in METRICS:
        top, bottom = block.of(metric, mask)
        n, n_questions = bottom.sum(1), (bottom > 0).sum(1)
        value = values(block, metric, mask)
        low, high = ratio_intervals(top, bottom, weights, bootstrap.level)
        interval = np.where(n > 0, "bootstrap", "none").astype(object)
        if metric in SHARES:
            for index in np.flatnonzero((n > 0) & all_alike(top, bottom)):
                low[index], high[index] = wilson(float(value[index]), int(n_questions[index]), bootstrap.level)
                interval[index] = "wilson"
        yield pd.DataFrame(
            {
                "metric": metric,
                "value": value,
                "low": np.fmin(low, value),
                "high": np.fmax(high, value),
                "n": n.astype(int),
                "n_excluded": n_excluded.astype(int),
                "n_questions": n_questions,
                "interval": interval,
            }
        )


def all_alike(top: Floats, bottom: Floats) -> NDArray[np.bool_]:
    """Whether every question of a setting has the same ratio: a bootstrap would find no width. [settings]"""
    ratios = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    widest, narrowest = (
        getattr(np, f"nan{end}")(np.where(np.isnan(ratios), fill, ratios), axis=1) for end, fill in (("max", -1), ("min", 2))
    )
    return widest <= narrowest
