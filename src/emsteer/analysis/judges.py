"""Judges held against each other: what two of them say of the same stored answers, score by score.

em                                whether an answer is EM: agreement is Cohen's κ, bias the difference of the rates [share]
alignment, coherence, relevance   agreement is Spearman's correlation; bias the mean of the first judge's points minus the other's,
                                  and the limits within which 95 % of the differences lie, were they normal (Bland and Altman 1986)

Each answer counts once, whatever target tasks its setting stands for, and only where both judges gave the score. The intervals are
percentiles over resampled questions. In a retest, the two judges are one, asked twice (`repeat`).
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from emsteer import schemas
from emsteer.analysis.bootstrap import Floats, defined_quantiles, resampled
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import Bootstrap

SCHEMA = schemas.Judges
ANSWER = ["benchmark", "answers", "question_id", "sample"]
SCORES = ["alignment", "coherence", "relevance"]
ALL = "all"
WITHIN = float(stats.norm.ppf(0.975))  # standard deviations that 95 % lie within


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Judges`."""
    columns = [*ANSWER, "judge", "arm", "judged", "em", *SCORES]
    parts = [part[columns] for part in schemas.read_parts(job.input("judged"), schemas.Judged)]
    once = pd.concat(parts, ignore_index=True).drop_duplicates([*ANSWER, "judge"])
    rows = [row for _, of in once.groupby("benchmark", sort=False) for row in pairs(of, job.recipe.bootstrap)]
    return schemas.frame_of(rows, SCHEMA)


def pairs(answers: pd.DataFrame, bootstrap: Bootstrap) -> Iterator[dict[str, object]]:
    """Every pair of judges on one benchmark, over all answers and arm by arm."""
    names = list(dict.fromkeys(answers["judge"]))
    for first, second in combinations(names, 2):
        sides = (answers[answers["judge"].eq(name)] for name in (first, second))
        both = next(sides).merge(next(sides), on=[*ANSWER, "arm"], suffixes=("", "_other"), validate="one_to_one")
        place = {"benchmark": answers["benchmark"].iloc[0], "judge": first, "other": second}
        for scope, of in ((ALL, both), *both.groupby("arm", sort=False)):
            yield {**place, "scope": scope, "score": "em", **of_em(of[of["judged"] & of["judged_other"]], bootstrap)}
            for name in SCORES:
                scored = of[of[name].notna() & of[f"{name}_other"].notna()]
                yield {**place, "scope": scope, "score": name, **of_points(scored, name, bootstrap)}


def of_em(answers: pd.DataFrame, bootstrap: Bootstrap) -> dict[str, object]:
    """Cohen's κ of two judges that call answers EM; none where neither or both call all of them so."""
    one, other = answers["em"].to_numpy(dtype=float), answers["em_other"].to_numpy(dtype=float)
    n, same, ones, others = _drawn(answers, bootstrap, [np.ones(len(answers)), one == other, one, other])
    by_chance = (ones * others + (n - ones) * (n - others)) / n**2
    kappa = _divided(same / n - by_chance, 1 - by_chance)
    return {**_counts(answers), **_interval("", kappa, bootstrap), **_interval("bias_", (ones - others) / n, bootstrap)}


def of_points(answers: pd.DataFrame, name: str, bootstrap: Bootstrap) -> dict[str, object]:
    """Spearman's correlation, bias and limits of agreement of two judges that give points."""
    one, other = answers[name].to_numpy(dtype=float), answers[f"{name}_other"].to_numpy(dtype=float)
    ranks = [stats.rankdata(side) if len(side) else side for side in (one, other)]  # those of all answers, in every resample
    x, y = (side - side.mean() if len(side) else side for side in ranks)
    summed = [np.ones(len(answers)), x, y, x * x, y * y, x * y, one - other]
    n, sum_x, sum_y, xx, yy, xy, apart = _drawn(answers, bootstrap, summed)
    spread = np.sqrt(np.maximum(xx - sum_x**2 / n, 0) * np.maximum(yy - sum_y**2 / n, 0))
    spearman = _divided(xy - sum_x * sum_y / n, spread)
    bias = apart / n
    deviation = (one - other).std(ddof=1) if len(answers) > 1 else np.nan
    limits = {"limit_low": bias[0] - WITHIN * deviation, "limit_high": bias[0] + WITHIN * deviation}
    return {**_counts(answers), **_interval("", spearman, bootstrap), **_interval("bias_", bias, bootstrap), **limits}


def _counts(answers: pd.DataFrame) -> dict[str, object]:
    return {"n": len(answers), "n_questions": answers["question_id"].nunique()}


def _drawn(answers: pd.DataFrame, bootstrap: Bootstrap, values: Sequence[Floats]) -> Iterator[Floats]:
    """Sums over answers: as observed, then in every resample of questions. [1 + resamples] each"""
    codes, names = pd.factorize(answers["question_id"])
    weights = np.vstack([np.ones(len(names)), resampled(len(names), bootstrap)]) if len(names) else np.zeros((1, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        for of in values:
            found = weights @ np.bincount(codes, np.asarray(of, dtype=float), len(names))
            yield np.where(weights.sum(1) > 0, found, np.nan)


def _divided(top: Floats, bottom: Floats) -> Floats:
    """NaN where nothing varies."""
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 1e-12)


def _interval(name: str, drawn: Floats, bootstrap: Bootstrap) -> dict[str, object]:
    """What was observed, with percentiles of the resamples."""
    ends = [(1 - bootstrap.level) / 2, (1 + bootstrap.level) / 2]
    low, high = defined_quantiles(drawn[1:, None], ends)[:, 0] if len(drawn) > 1 and not np.isnan(drawn[0]) else (np.nan, np.nan)
    found = drawn[0]
    return {name.rstrip("_") or "agreement": found, f"{name}low": np.fmin(low, found), f"{name}high": np.fmax(high, found)}
