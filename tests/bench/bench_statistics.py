"""How often intervals are right: simulated studies of known rates. `make bench-statistics`; nothing here is a test.

Answers are beta-binomial: the rate of a question is drawn around the true rate, so that two answers to it agree more than answers
to two questions do (`alike`: their correlation, 0 to 1).
"""

import time
from collections.abc import Iterator

import numpy as np

from emsteer.analysis.bootstrap import ratio_intervals, resampled
from emsteer.analysis.estimates import Floats, bounded_interval
from emsteer.recipes import Bootstrap

N_SETS = 5000
LEVEL = 0.95
BOOTSTRAP = Bootstrap(n_resamples=1000, level=LEVEL, seed=0)
RATES = [  # questions, answers a question, rate, alike
    (8, 2, 0.3, 0.2), (8, 10, 0.3, 0.2), (8, 10, 0.1, 0.2), (8, 100, 0.1, 0.2), (8, 100, 0.3, 0.2), (8, 10, 0.5, 0.3),
    (44, 2, 0.03, 0.1), (44, 10, 0.03, 0.1), (44, 10, 0.03, 0.3), (44, 100, 0.03, 0.2),
    (44, 2, 0.005, 0.1), (44, 10, 0.002, 0.2), (8, 10, 0.005, 0.2), (56, 6, 0.3, 0.3), (56, 6, 0.8, 0.3),
]  # fmt: skip
POINTS = [
    (8, 10, 90.0, 10.0),
    (44, 10, 90.0, 10.0),
    (44, 10, 99.0, 2.0),
    (44, 2, 50.0, 30.0),
]  # questions, answers, mean, deviation


def shares(n_questions: int, n_answers: int, rate: float, alike: float, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """(events, answers). [sets × questions] each"""
    size = (1 - alike) / alike
    of_questions = generator.beta(rate * size, (1 - rate) * size, size=(N_SETS, n_questions))
    events = generator.binomial(n_answers, of_questions).astype(float)
    return events, np.full(events.shape, float(n_answers))


def points(
    n_questions: int, n_answers: int, mean: float, deviation: float, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """(sums of points of 0 to 100, answers); half of the variance is between questions. [sets × questions] each"""
    share, spread = mean / 100, (deviation / 100) ** 2 / 2
    size = share * (1 - share) / spread - 1
    of_questions = generator.beta(share * size, (1 - share) * size, size=(N_SETS, n_questions))
    within = np.clip(of_questions, 1e-6, 1 - 1e-6)
    more = np.maximum(within * (1 - within) / spread - 1, 0.1)
    answers = generator.beta(
        within[..., None] * more[..., None], (1 - within)[..., None] * more[..., None], size=(*within.shape, n_answers)
    )
    return 100 * answers.sum(2), np.full(within.shape, float(n_answers))


def rows() -> Iterator[tuple[object, ...]]:
    """What is estimated, sets without an event, how often the interval holds the truth, its mean width; as often a bootstrap."""
    generator = np.random.default_rng(0)
    for n_questions, n_answers, truth, how in [*RATES, *POINTS]:
        is_share = truth < 1
        top, bottom = (shares if is_share else points)(n_questions, n_answers, truth, how, generator)
        low, high = bounded_interval(top, bottom, LEVEL, unit=1.0 if is_share else 100.0, of_answers=is_share)
        inside = (low <= truth) & (truth <= high)
        lower, upper = ratio_intervals(top[:1000], bottom[:1000], resampled(n_questions, BOOTSTRAP), LEVEL)
        bootstrap = ((lower <= truth) & (truth <= upper)).mean()
        yield n_questions, n_answers, truth, how, (top.sum(1) == 0).mean(), inside.mean(), (high - low).mean(), bootstrap


def main() -> None:
    """Prints a table."""
    start = time.process_time()
    print(f"coverage of {LEVEL:.0%} intervals in {N_SETS:,} simulated sets\n")
    print("questions  answers   truth  alike/sd  no event  coverage   width  percentile bootstrap")
    for n_questions, n_answers, truth, how, none, inside, width, bootstrap in rows():
        print(f"{n_questions:9}  {n_answers:7}  {truth:6g}  {how:8g}  {none:8.2f}  {inside:8.3f}  {width:6.3g}  {bootstrap:20.3f}")
    print(f"\n{time.process_time() - start:.0f} CPU-s")


if __name__ == "__main__":
    main()
