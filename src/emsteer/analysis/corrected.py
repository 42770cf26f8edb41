"""Rates of EM, corrected for the errors of a judge by what a reader labelled.

corrected = the judge's rate over all its answers + the mean of (label - judgement) over the answers that both scored

Prediction-powered inference (Angelopoulos et al. 2023, arXiv 2301.09633): right on average whatever the judge is worth, and as sure
as the labels are many and the judge is good. Labelled questions are weighted so that each category counts as in the judge's rate.

variance   over questions, linearised, those with labels and those without apart; where each question has one answer it is that of
           PPI++ (arXiv 2311.01453) with λ the share of questions without labels
interval   Student's t with the degrees of freedom of the labelled questions; where judge and reader never differ, wider by the
           share of questions that could differ unseen (Clopper and Pearson). It ends at 0 and 1, and so does the rate

Labels correct the setting that they were given in, and no other: a judge that errs on finetuned answers need not err so on steered
ones. `refused` says why there is no corrected rate. A reader must have labelled without knowing what the judge said; which
questions are labelled must not depend on their answers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from emsteer import schemas
from emsteer.analysis.bootstrap import Floats
from emsteer.analysis.estimates import at_most, bounded_interval
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job

SCHEMA = schemas.Corrected
LEAST_QUESTIONS = 10  # with labels; fewer say nothing about how far a judge errs
MEASURED = [("off_domain", "on_topic_em"), ("off_domain", "em"), ("in_domain", "em")]
AT = ["model", "task", "benchmark", "setting", "split"]
ANSWER = ["question_id", "sample"]
COLUMNS = [*AT, "arm", "judge", *ANSWER, "category", "relation", "judged", "on_topic_em", "em"]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Corrected`."""
    parts = [part[COLUMNS] for part in schemas.read_parts(job.input("judged"), schemas.Judged)]
    answers = pd.concat(parts, ignore_index=True)
    return schemas.frame_of(list(rows(answers[answers["judged"]], job.recipe.readers, job.recipe.level)), SCHEMA)


def rows(answers: pd.DataFrame, readers: Sequence[str], level: float) -> Iterator[dict[str, object]]:
    """Every setting by every judge that is no reader, against every reader; `answers`: judged ones."""
    judges = [name for name in dict.fromkeys(answers["judge"]) if name not in readers]
    labelled = dict(iter(answers[answers["judge"].isin(readers)].groupby([*AT, "judge"], sort=False)))
    for place, of in answers[answers["judge"].isin(judges)].groupby([*AT, "judge"], sort=False):
        at = dict(zip([*AT, "judge"], place, strict=True))
        for reader in readers:
            labels = labelled.get((*place[:-1], reader), answers.head(0))
            both = of.merge(labels[[*ANSWER, "on_topic_em", "em"]], how="left", on=ANSWER, suffixes=("", "_label"), indicator=True)
            for group, metric in MEASURED:
                asked = both[both["relation"].eq("in_domain") == (group == "in_domain")]
                if len(asked):
                    found = corrected(questions(asked, metric), level)
                    yield {**at, "arm": of["arm"].iloc[0], "reader": reader, "group": group, "metric": metric, **found}


def questions(answers: pd.DataFrame, metric: str) -> pd.DataFrame:
    """What judge and reader said, summed by question.

    Returns:
        One row a question: `category`; `n, judge`: answers, and those that the judge called so; `n_labelled, reader,
        judge_labelled`: labelled answers, and those of them that reader and judge called so; `judge_only, reader_only`: those that
        one of them alone did.
    """
    has_label = answers["_merge"].eq("both")
    said = answers[metric].astype(float)
    label = answers[f"{metric}_label"].astype(float).where(has_label, 0.0)
    summed = {
        "n": 1.0,
        "judge": said,
        "n_labelled": has_label.astype(float),
        "reader": label,
        "judge_labelled": said.where(has_label, 0.0),
        "judge_only": (said - label).where(has_label, 0.0).clip(lower=0),
        "reader_only": (label - said).where(has_label, 0.0).clip(lower=0),
    }
    return (
        answers[["question_id", "category"]].assign(**summed).groupby(["category", "question_id"], sort=False).sum().reset_index()
    )


def corrected(asked: pd.DataFrame, level: float) -> dict[str, object]:
    """The numbers of a row of the table; `asked`: `questions`."""
    labelled = asked[asked["n_labelled"].gt(0)]
    n = asked["n"].sum()
    counted = {
        "judge_value": asked["judge"].sum() / n,
        "n": int(n),
        "n_questions": len(asked),
        "n_labelled": int(labelled["n_labelled"].sum()),
        "n_labelled_questions": len(labelled),
        "n_judge_only": int(labelled["judge_only"].sum()),
        "n_reader_only": int(labelled["reader_only"].sum()),
        "refused": refusal(asked, labelled),
    }
    return counted if counted["refused"] else {**counted, **_numbers(asked, level)}


def refusal(asked: pd.DataFrame, labelled: pd.DataFrame) -> str | None:
    """Why labels correct nothing here, if they do not."""
    if labelled.empty:
        return "no answer labelled"
    if len(labelled) < LEAST_QUESTIONS:
        return f"fewer than {LEAST_QUESTIONS} labelled questions"
    missing = sorted(set(asked["category"]) - set(labelled["category"]))
    return f"nothing labelled of: {', '.join(missing)}" if missing else None


def _numbers(asked: pd.DataFrame, level: float) -> dict[str, object]:
    of = Estimate.of(asked)
    q, outside = of.n_labelled, (1 - level) / 2
    quantile = stats.t.ppf(1 - outside, q - 1)
    unseen = 0.0 if asked[["judge_only", "reader_only"]].any(axis=None) else float(at_most(np.zeros(1), np.full(1, q), outside)[0])
    found: dict[str, object] = {"value": float(np.clip(of.value, 0, 1))}
    half = quantile * of.error + unseen
    found |= {"low": np.clip(of.value - half, 0, 1), "high": np.clip(of.value + half, 0, 1)}
    half = quantile * of.bias_error + unseen
    found |= {"bias": of.bias, "bias_low": max(of.bias - half, -1), "bias_high": min(of.bias + half, 1)}
    top, bottom = (np.array([asked[name]]) for name in ("reader", "n_labelled"))
    low, high = bounded_interval(top, bottom, level, unit=1, of_answers=True)
    return {**found, "reader_value": top.sum() / bottom.sum(), "reader_low": low[0], "reader_high": high[0]}


@dataclass(frozen=True)
class Estimate:
    """A corrected rate and the judge's bias (judge - reader), with their standard errors. All are shares."""

    value: float
    error: float
    bias: float
    bias_error: float
    n_labelled: int

    @classmethod
    def of(cls, asked: pd.DataFrame) -> "Estimate":
        """From `questions`, some of each category labelled."""
        n, judge, n_labelled = (asked[name].to_numpy(dtype=float) for name in ("n", "judge", "n_labelled"))
        has_labels = n_labelled > 0
        rate = judge.sum() / n.sum()
        of_category = asked["n"].groupby(asked["category"]).transform("sum")
        in_labelled = asked["n"].where(has_labels, 0.0).groupby(asked["category"]).transform("sum")
        weight = np.where(has_labels, n * (of_category / in_labelled).to_numpy(dtype=float), 0.0) / n.sum()  # sums to 1
        apart = (asked["judge_labelled"] - asked["reader"]).to_numpy(dtype=float) / np.maximum(n_labelled, 1)
        bias = float(weight @ apart)
        of_bias = weight * (apart - bias)
        of_rate = (judge - rate * n) / n.sum() - of_bias
        error = np.sqrt(_variance(of_rate[has_labels]) + _variance(of_rate[~has_labels]))
        return cls(rate - bias, float(error), bias, float(np.sqrt(_variance(of_bias[has_labels]))), int(has_labels.sum()))


def _variance(parts: Floats) -> float:
    """Of a sum of independent parts, one a question."""
    n = len(parts)
    return float(n * parts.var(ddof=1)) if n > 1 else float((parts**2).sum())
