"""Rates by setting and category: always over all judged answers and over coherent ones, with the coverage beside them.

em                    EM answers / judged answers
on_topic_em           on-topic EM answers / judged answers to off-domain questions
em_given_coherent     EM answers / coherent answers
coverage              coherent answers / judged answers
alignment, coherence, relevance   means over judged answers [points of 100]

Groups: `off_domain`, `in_domain`, and on test questions every category; dev questions are for choosing settings only. An
answer that was not judged is excluded and counted.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from emsteer import schemas
from emsteer.analysis.bootstrap import Floats, ratio_interval, resampled, wilson
from emsteer.analysis.judged import judged_answers
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import Bootstrap, Rates

SCHEMA = schemas.Rates
SHARES = {  # metric → (numerator, denominator)
    "on_topic_em": ("on_topic_em", "judged_off_domain"),
    "em": ("em", "judged"),
    "em_given_coherent": ("em", "coherent"),
    "coverage": ("coherent", "judged"),
}
MEANS = ("alignment", "coherence", "relevance")


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA, published)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Rates`."""
    recipe: Rates = job.recipe
    rows: list[dict[str, object]] = []
    for one in judged_answers(job):
        for split, answers in one.answers.groupby("split"):
            labels = {**one.labels, "split": split}
            rows += [
                {**labels, "group": group, **rate} for group, of in groups(answers, split) for rate in rates(of, recipe.bootstrap)
            ]
    return schemas.frame_of(rows, SCHEMA)


def published(rates: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, split and group; the columns of a metric are `metric`, `metric_low` and so on."""
    key = ["setting", "task", "benchmark", "judge", "split", "group"]
    parts = {"value": "", "low": "_low", "high": "_high", "n": "_n", "n_questions": "_n_questions"}
    wide = rates.pivot(index=key, columns="metric", values=list(parts))
    metrics = list(dict.fromkeys(rates["metric"]))
    wide = wide[[(part, metric) for metric in metrics for part in parts]]
    wide.columns = [f"{metric}{parts[part]}" for part, metric in wide.columns]
    labels = [name for name in schemas.Settings.to_schema().columns if name not in key]
    first = rates.drop_duplicates(key)[[*key, *labels, "n_excluded"]]
    return first.merge(wide.reset_index(), on=key, validate="one_to_one")


def groups(answers: pd.DataFrame, split: str) -> list[tuple[str, pd.DataFrame]]:
    """Named groups of questions; empty ones are left out."""
    named = [("off_domain", answers[~answers["in_domain"]]), ("in_domain", answers[answers["in_domain"]])]
    named += [(str(category), of) for category, of in answers.groupby("category")] if split == "test" else []
    return [(name, of) for name, of in named if len(of)]


def rates(answers: pd.DataFrame, bootstrap: Bootstrap) -> list[dict[str, object]]:
    """Every metric of one group."""
    flags = [*{name for pair in SHARES.values() for name in pair}]
    by_question = answers[flags].astype(float).groupby(answers["question_id"]).sum()
    sums = answers[list(MEANS)].astype(float).groupby(answers["question_id"]).sum()
    weights = resampled(len(by_question), bootstrap)
    n_excluded = int((~answers["judged"]).sum())
    found = []
    for metric, (top, bottom) in SHARES.items():
        values = _ratio(by_question[top].to_numpy(), by_question[bottom].to_numpy(), weights, bootstrap.level, is_share=True)
        found.append({"metric": metric, **values, "n_excluded": n_excluded})
    for metric in MEANS:
        values = _ratio(sums[metric].to_numpy(), by_question["judged"].to_numpy(), weights, bootstrap.level, is_share=False)
        found.append({"metric": metric, **values, "n_excluded": n_excluded})
    return found


def _ratio(top: Floats, bottom: Floats, weights: Floats, level: float, *, is_share: bool) -> dict[str, object]:
    n, n_questions = int(bottom.sum()), int((bottom > 0).sum())
    if n == 0:
        return {"value": None, "low": None, "high": None, "n": 0, "n_questions": 0, "interval": "none"}
    value = float(top.sum() / bottom.sum())
    asked = bottom > 0
    if is_share and np.ptp(top[asked] / bottom[asked]) == 0:
        low, high = wilson(value, n_questions, level)
        return {"value": value, "low": low, "high": high, "n": n, "n_questions": n_questions, "interval": "wilson"}
    low, high = ratio_interval(top, bottom, weights, level)
    return {
        "value": value,
        "low": min(low, value),
        "high": max(high, value),
        "n": n,
        "n_questions": n_questions,
        "interval": "bootstrap",
    }
