"""Agreement: how well each witness tells labelled answers apart, over all pairs of answers and within settings.

A witness can look good over all pairs because it tells arms apart: random directions make answers that are incoherent *and*
far from their question. Within a setting that help is gone; what is left is what the witness knows of single answers.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emsteer import schemas
from emsteer.analysis.bootstrap import Floats, defined_quantiles, resampled
from emsteer.analysis.tables import tabulated
from emsteer.analysis.witnesses import seen
from emsteer.packs import Job
from emsteer.recipes import Bootstrap, Thresholds, WitnessedRow

SCHEMA = schemas.Agreement
ALL, WITHIN = "all", "within settings"
Flags = NDArray[np.bool_]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Agreement`."""
    rows: Sequence[WitnessedRow] = job.recipe.rows
    scores = schemas.read_all(job.by_address("scores"), schemas.Scores)
    places = pd.DataFrame(
        [
            {**row.setting.model_dump(include={"model", "task", "arm"}), "benchmark": row.benchmark, "judge": row.judge}
            for row in rows
        ]
    ).rename_axis("row")
    cells = pd.DataFrame([(index, cell) for index, row in enumerate(rows) for cell in row.scores], columns=["row", "cell"])
    read = cells.merge(scores[scores["status"].eq("ok")], on="cell").merge(places, left_on="row", right_index=True)
    values = seen(job).dropna(subset="value")
    found: list[dict[str, object]] = []
    for key, of in read.groupby(schemas.PLACE, sort=False):
        place = dict(zip(schemas.PLACE, key, strict=True))
        labelled = of.assign(**labels_of(of, job.recipe.thresholds[place["judge"]]))
        for name, of_witness in values[values["row"].isin(of["row"])].groupby("witness", sort=False):
            pairs = _beside(labelled, of_witness)
            found += [{**place, "witness": name, **numbers} for numbers in _agreements(pairs, job.recipe.bootstrap)]
    return schemas.frame_of(found, SCHEMA)


def labels_of(scores: pd.DataFrame, thresholds: Thresholds) -> dict[str, pd.Series]:
    """What each answer was called."""
    return {
        "misaligned": scores["alignment"].lt(thresholds.misaligned_below),
        "coherent": scores["coherence"].gt(thresholds.coherent_above),
        "relevant": scores["relevance"].gt(thresholds.relevant_above),
    }


def _beside(labelled: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Labelled answers with the witness's value; one of a question is that of all its answers."""
    on = ["row", "question_id"] if values["sample"].isna().all() else ["row", "question_id", "sample"]
    return labelled.astype({"sample": "Int64"}).merge(values[[*on, "value"]], on=on, validate="many_to_one")


def _agreements(pairs: pd.DataFrame, bootstrap: Bootstrap) -> Iterator[dict[str, object]]:
    scopes: Mapping[str, tuple[pd.DataFrame, bool]] = {
        ALL: (pairs, False),
        WITHIN: (pairs, True),
        **{str(arm): (of, True) for arm, of in pairs.groupby("arm", sort=False)},
    }
    for label in schemas.results.LABELS:
        for scope, (of, is_within) in scopes.items():
            strata = of["row"].to_numpy() if is_within else np.zeros(len(of), dtype=int)
            yield {
                "label": label,
                "scope": scope,
                **agreement(of["value"].to_numpy(), of[label].to_numpy(), strata, of["question_id"], bootstrap),
            }


def agreement(
    values: Floats, labelled: Flags, strata: NDArray[np.int_], questions: pd.Series, bootstrap: Bootstrap
) -> dict[str, object]:
    """Area under the ROC curve over pairs of one stratum, with a percentile interval from resampled questions."""
    codes, names = pd.factorize(questions)
    pairs = strata[labelled][:, None] == strata[~labelled][None]
    above = values[labelled][:, None] - values[~labelled][None]
    wins = (np.sign(above) / 2 + 0.5) * pairs
    weights = np.vstack([np.ones(len(names)), resampled(len(names), bootstrap)]) if len(names) else np.ones((1, 0))
    upper, lower = weights[:, codes[labelled]], weights[:, codes[~labelled]]
    n_pairs = ((upper @ pairs) * lower).sum(1)
    areas = np.divide(((upper @ wins) * lower).sum(1), n_pairs, out=np.full(len(weights), np.nan), where=n_pairs > 0)
    bounds = [(1 - bootstrap.level) / 2, (1 + bootstrap.level) / 2]
    low, high = defined_quantiles(areas[1:, None], bounds)[:, 0] if len(areas) > 1 else (np.nan, np.nan)
    numbers = {"n_with": int(labelled.sum()), "n_without": int((~labelled).sum()), "n_questions": len(names)}
    return {"auc": areas[0], "low": np.fmin(low, areas[0]), "high": np.fmax(high, areas[0]), **numbers}
