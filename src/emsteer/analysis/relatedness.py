"""Relatedness: is a task another population of texts than the questions it is evaluated on? Two-sample tests, and baselines.

Every task is compared with the questions of each benchmark, off-domain and in-domain ones apart; and, on the same scale, with the
prompts of every other task (what another topic looks like) and with its own (what no difference looks like).

nearest, mean, overlapping  means over the texts of what `analysis.distances` says of each; of its own prompts each to the others
auc       a classifier two-sample test (Lopez-Paz and Oquab 2017): how well a logistic regression tells held-out texts apart, mean
          area under the ROC curve over folds in which equal texts stay together; 0.5: not at all
mmd       squared maximum mean discrepancy, unbiased, Gaussian kernel, bandwidth the median distance (Gretton et al. 2012), with
          the 95th percentile and the p value of a permutation null

Its own prompts are compared half with half. Of more than `MOST_TEXTS` texts a fixed choice is compared.
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from emsteer import schemas
from emsteer.analysis.distances import Nearness, Texts, nearness, own, prompts_of, vectors
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import Relatedness as Recipe

SCHEMA = schemas.Relatedness
MOST_TEXTS = 1000
FOLDS = 5
FEWEST_TEXTS = 4  # of either side, for a test
NULL_QUANTILE = 0.95
Floats = NDArray[np.float64]
Row = dict[str, object]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Relatedness`."""
    rows = []
    for embedder, placed in job.recipe.tasks.items():
        tasks = {name: prompts_of(job, one) for name, one in placed.items()}
        asked = {name: _asked(job, embedder, name) for name in job.recipe.benchmarks[embedder]}
        for task in tasks:
            place: Row = {"embedder": embedder, "task": task}
            rows += [place | row for row in _of_task(task, tasks, asked, job.recipe)]
    return schemas.frame_of(rows, SCHEMA)


def _asked(job: Job, embedder: str, benchmark: str) -> tuple[pd.Series, pd.Series, Floats]:
    """(prompt, category, where it is) of the questions of a benchmark."""
    placed = job.recipe.benchmarks[embedder][benchmark]
    questions = schemas.read(job.by_address("questions")[placed.texts], schemas.Questions)
    return questions["prompt"], questions["category"], vectors(job, placed)


def _of_task(
    task: str, tasks: dict[str, Texts], asked: dict[str, tuple[pd.Series, pd.Series, Floats]], recipe: Recipe
) -> Iterator[Row]:
    prompts = tasks[task]
    for benchmark, (texts, category, where) in asked.items():
        inside = category.isin(recipe.in_domain[task]).to_numpy()
        for group, chosen in (("off_domain", ~inside), ("in_domain", inside)):
            if chosen.any():
                questions = Texts.of(list(texts[chosen]), where[chosen])
                yield {"against": group, "name": benchmark, **compared(prompts, questions, recipe)}
    for other, texts_of_other in tasks.items():
        if other != task:
            yield {"against": "other_task", "name": other, **compared(prompts, texts_of_other, recipe)}
    yield {"against": "own", "name": task, **compared_with_itself(prompts, recipe)}


def compared(prompts: Texts, texts: Texts, recipe: Recipe) -> Row:
    """The numbers of a row: a task's prompts and other texts."""
    return _numbers(prompts, texts, nearness(prompts, texts.vectors), recipe.overlaps_above) | _tests(prompts, texts, recipe)


def compared_with_itself(prompts: Texts, recipe: Recipe) -> Row:
    """Each prompt with the others, and half of them with the other half."""
    shuffled = _in_order_of_their_digests(prompts)
    halves = _tests(shuffled.take(np.arange(0, len(prompts), 2)), shuffled.take(np.arange(1, len(prompts), 2)), recipe)
    return _numbers(prompts, prompts, own(prompts), recipe.overlaps_above) | halves


def _numbers(prompts: Texts, texts: Texts, found: Nearness, above: float) -> Row:
    means = {"nearest": found.nearest.mean(), "mean": found.mean.mean(), "overlapping": found.overlaps(above, len(prompts)).mean()}
    return {"n_prompts": len(prompts), "n": len(texts), **{name: float(value) for name, value in means.items()}}


def _tests(first: Texts, second: Texts, recipe: Recipe) -> Row:
    if min(len(first), len(second)) < FEWEST_TEXTS:
        return dict.fromkeys(("auc", "mmd", "mmd_null", "p_mmd"), None)
    first, second = (_in_order_of_their_digests(texts).take(np.arange(min(len(texts), MOST_TEXTS))) for texts in (first, second))
    return {"auc": told_apart(first, second, recipe.seed), **discrepancy(first, second, recipe.n_permutations, recipe.seed)}


def _in_order_of_their_digests(texts: Texts) -> Texts:
    """Neither alphabetical nor by any seed: two machines, and two orders of a file, take the same ones."""
    digests = [hashlib.sha256(str(text).encode()).hexdigest() for text in texts.texts]
    return texts.take(np.argsort(np.array(digests)))


def told_apart(first: Texts, second: Texts, seed: int) -> float:
    """Mean area under the ROC curve of a logistic regression over folds; equal texts are held out together."""
    x = np.concatenate([first.vectors, second.vectors])
    y = np.repeat([0, 1], [len(first), len(second)])
    groups = np.unique(np.concatenate([first.texts, second.texts]).astype(str), return_inverse=True)[1]
    found = []
    folds = StratifiedGroupKFold(min(FOLDS, len(first), len(second)), shuffle=True, random_state=seed % 2**32)
    for train, held_out in folds.split(x, y, groups):
        if min(len(set(y[train])), len(set(y[held_out]))) == 2:
            model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(x[train], y[train])
            found.append(roc_auc_score(y[held_out], model.decision_function(x[held_out]).round(9)))
    return float(np.mean(found)) if found else float("nan")


def discrepancy(first: Texts, second: Texts, n_permutations: int, seed: int) -> Row:
    """Squared maximum mean discrepancy with its null: who is on which side does not matter."""
    kernel = _kernel(np.concatenate([first.vectors, second.vectors]))
    sides = np.repeat([1.0, 0.0], [len(first), len(second)])
    observed = float(_unbiased(kernel, sides[:, None])[0])
    rng = np.random.default_rng(seed)
    permuted = np.stack([rng.permutation(sides) for _ in range(n_permutations)], axis=1)
    null = _unbiased(kernel, permuted)
    p = (1 + int((null >= observed - 1e-12).sum())) / (1 + n_permutations)
    return {"mmd": observed, "mmd_null": float(np.quantile(null, NULL_QUANTILE)), "p_mmd": p}


def _kernel(x: Floats) -> Floats:
    """Gaussian, with zeros on the diagonal. [texts × texts]"""
    squares = (x**2).sum(1)
    distances = np.maximum(squares[:, None] + squares[None] - 2 * x @ x.T, 0.0)
    apart = distances[np.triu_indices(len(x), 1)]
    bandwidth = np.median(apart[apart > 1e-9]) if (apart > 1e-9).any() else 1.0
    kernel = np.exp(-distances / bandwidth)
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _unbiased(kernel: Floats, sides: Floats) -> Floats:
    """Squared discrepancy for every choice of sides: 1 the first, 0 the second. [choices]"""
    n, m = sides.sum(0), (1 - sides).sum(0)
    seen = kernel @ sides
    within, across = (sides * seen).sum(0), ((1 - sides) * seen).sum(0)
    rest = kernel.sum() - within - 2 * across
    return within / (n * (n - 1)) + rest / (m * (m - 1)) - 2 * across / (n * m)
