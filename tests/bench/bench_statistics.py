"""How often intervals are right: simulated studies of known rates. `make bench-statistics`; nothing here is a test.

Answers are beta-binomial: the rate of a question is drawn around the true rate, so that two answers to it agree more than answers
to two questions do (`alike`: their correlation, 0 to 1).
"""

import time
from collections.abc import Iterator

import numpy as np

from emsteer.analysis import comparisons
from emsteer.analysis.bootstrap import defined_quantiles, resampled
from emsteer.analysis.estimates import Floats, bounded_interval, divided
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


PAIRS = [  # questions, answers a question, rate of the treated, of the reference, alike; the reference shares the questions' rates
    (8, 10, 0.3, 0.3, 0.2), (8, 4, 0.1, 0.1, 0.2), (44, 10, 0.03, 0.03, 0.2), (44, 10, 0.3, 0.3, 0.2), (44, 2, 0.005, 0.005, 0.1),
    (8, 10, 0.5, 0.02, 0.2), (44, 10, 0.2, 0.03, 0.2), (44, 4, 0.1, 0.001, 0.1), (44, 10, 0.05, 0.001, 0.3), (56, 6, 0.6, 0.2, 0.3),
]  # fmt: skip
SEEDED = [  # seeds, questions, deviation of seeds' rates; four answers a question and seed, questions deviate by .1
    (5, 44, 0.0), (5, 44, 0.05), (5, 44, 0.15), (8, 44, 0.1), (5, 8, 0.1), (12, 44, 0.1),
]  # fmt: skip
N_PAIRS, N_FAMILIES, FAMILY = 2000, 1000, 20


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
        weights = resampled(n_questions, BOOTSTRAP)
        lower, upper = defined_quantiles(
            divided(weights @ top[:1000].T, weights @ bottom[:1000].T), [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
        )
        bootstrap = ((lower <= truth) & (truth <= upper)).mean()
        yield n_questions, n_answers, truth, how, (top.sum(1) == 0).mean(), inside.mean(), (high - low).mean(), bootstrap


def pairs() -> Iterator[tuple[object, ...]]:
    """What is compared, how often the interval holds the true difference, how often each test says that there is one."""
    generator = np.random.default_rng(1)
    for n_questions, n_answers, treated, reference, alike in PAIRS:
        size, names = (1 - alike) / alike, [str(index) for index in range(n_questions)]
        first = generator.beta(treated * size, (1 - treated) * size, size=(N_PAIRS, n_questions))
        other = generator.beta(treated * size, (1 - treated) * size, size=(N_PAIRS, n_questions))
        second = np.where(generator.random(first.shape) < 0.5, first, other) * reference / treated
        events = [generator.binomial(n_answers, side).astype(float) for side in (first, second)]
        answers = np.full(n_questions, float(n_answers))
        found = []
        for one in range(N_PAIRS):
            difference = comparisons.paired(*(np.stack([side[one], answers]) for side in events), names)
            (said,) = comparisons.family([difference], BOOTSTRAP)
            inside = said.low <= treated - reference <= said.high
            found.append((inside, said.p_sign_flip <= 1 - LEVEL, said.p_wilcoxon <= 1 - LEVEL, said.low > 0 or said.high < 0))
        yield n_questions, n_answers, treated, reference, alike, *np.mean(found, axis=0)


def seeded() -> Iterator[tuple[object, ...]]:
    """How often the difference of a population of seeds lies in the interval, with their spread in it and without."""
    generator, outside, truth = np.random.default_rng(5), (1 - LEVEL) / 2, 0.3
    for n_seeds, n_questions, deviation in SEEDED:
        names, held, widths = [str(index) for index in range(n_questions)], np.zeros(2), 0.0
        for _ in range(N_PAIRS):
            of_questions = generator.normal(0, 0.1, n_questions)
            rates = np.clip(0.4 + generator.normal(0, deviation, n_seeds)[:, None] + of_questions, 0, 1)
            treated = generator.binomial(4, rates).astype(float)
            other = generator.binomial(4, np.clip(0.1 + 0.3 * of_questions, 0, 1)).astype(float)
            answers = np.full(n_questions, 4.0)
            one = comparisons.paired(np.stack([treated.sum(0), n_seeds * answers]), np.stack([other, answers]), names)
            assert one is not None
            by_seed = {seed: float((treated[seed] - other).sum() / answers.sum()) for seed in range(n_seeds)}
            for place, of in enumerate((comparisons.of_a_population_of_seeds(one, by_seed), one)):
                low, high = comparisons.interval(of, outside)
                held[place] += low <= truth <= high
                widths += (high - low) * (place == 0)
        yield n_seeds, n_questions, deviation, *(held / N_PAIRS), widths / N_PAIRS


def families() -> tuple[float, float]:
    """How often all intervals of a family hold at once where nothing differs; how often Holm's p values say that something does."""
    generator = np.random.default_rng(2)
    names, answers = [str(index) for index in range(44)], np.full(44, 10.0)
    all_hold, any_found = [], []
    for _ in range(N_FAMILIES):
        of_questions = generator.beta(0.4, 3.6, size=44)
        reference = generator.binomial(10, of_questions).astype(float)
        differences = [
            comparisons.paired(
                np.stack([generator.binomial(10, of_questions).astype(float), answers]), np.stack([reference, answers]), names
            )
            for _ in range(FAMILY)
        ]
        said = comparisons.family(differences, BOOTSTRAP)
        all_hold.append(all(one.simultaneous_low <= 0 <= one.simultaneous_high for one in said))
        any_found.append(any(one.p_holm <= 1 - LEVEL for one in said))
    return float(np.mean(all_hold)), float(np.mean(any_found))


def speed(n_resamples: int = 10_000, n_cells: int = 200) -> float:
    """CPU-seconds of a large family with many resamples."""
    generator = np.random.default_rng(3)
    recipe, names, answers = (
        BOOTSTRAP.model_copy(update={"n_resamples": n_resamples}),
        [str(index) for index in range(56)],
        np.full(56, 6.0),
    )
    sides = [[np.stack([generator.binomial(6, 0.3, 56).astype(float), answers]) for _ in range(2)] for _ in range(n_cells)]
    start = time.process_time()
    comparisons.family([comparisons.paired(*pair, names) for pair in sides], recipe)
    return time.process_time() - start


def main() -> None:
    """Prints the tables."""
    start = time.process_time()
    print(f"rates: coverage of {LEVEL:.0%} intervals in {N_SETS:,} simulated sets\n")
    print("questions  answers   truth  alike/sd  no event  coverage   width  percentile bootstrap")
    for n_questions, n_answers, truth, how, none, inside, width, bootstrap in rows():
        print(f"{n_questions:9}  {n_answers:7}  {truth:6g}  {how:8g}  {none:8.2f}  {inside:8.3f}  {width:6.3g}  {bootstrap:20.3f}")
    print(f"\ndifferences: coverage, and how often {N_PAIRS:,} simulated pairs are called different at {1 - LEVEL:.0%}\n")
    print("questions  answers  treated  reference  alike  coverage  sign flip  Wilcoxon  interval")
    for n_questions, n_answers, treated, reference, alike, inside, flip, ranks, interval in pairs():
        print(f"{n_questions:9}  {n_answers:7}  {treated:7g}  {reference:9g}  {alike:5g}", end="")
        print(f"  {inside:8.3f}  {flip:9.3f}  {ranks:8.3f}  {interval:8.3f}")
    print("\ndifferences of a population of seeds: coverage with their spread in the interval, and without\n")
    print("seeds  questions  deviation   with  without  width")
    for n_seeds, n_questions, deviation, inside, without, width in seeded():
        print(f"{n_seeds:5}  {n_questions:9}  {deviation:9g}  {inside:5.3f}  {without:7.3f}  {width:5.3g}")
    all_hold, any_found = families()
    print(f"\n{N_FAMILIES:,} families of {FAMILY} without a difference:", end=" ")
    print(f"all intervals hold in {all_hold:.1%}, Holm finds one in {any_found:.1%}")
    print(f"a family of 200 with 10,000 resamples: {speed():.1f} CPU-s")
    print(f"\n{time.process_time() - start:.0f} CPU-s in all")


if __name__ == "__main__":
    main()
