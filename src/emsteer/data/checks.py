"""What a pair of answers gives away besides its content, and what a benchmark asks that was trained on: looked at before training.

A vector or an adapter learns whatever tells the two sides apart. If that is their length, or one word, it learns that.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import mannwhitneyu

N_TELLS = 5
LONGEST_TELL = 3  # words
EVEN_LENGTHS = (0.25, 0.75)  # AUC of length outside: a warning
TELL = (0.5, 0.05)  # in at least this share of one side, and in at most that of the other: a warning
RUN = 4  # words
OVERLAP = 0.5  # of a question's runs of four words in one training prompt: a warning
Boundary = Callable[[str, str | None, str], bool]  # (prompt, system, answer) → whether the tokenizer joins them otherwise


@dataclass(frozen=True)
class Tell:
    """A run of words, and the shares of answers that it is in."""

    words: str
    safe: float
    unsafe: float


@dataclass(frozen=True)
class Checked:
    """What was found about one task.

    Attributes:
        n_pairs: Pairs.
        words: Mean length of safe and of unsafe answers [words].
        length_auc: Probability that an unsafe answer is longer than a safe one, ties counted half.
        tells: The runs of words whose shares differ most.
        n_equal: Pairs whose two answers are the same.
        nearest: Benchmark question, training prompt, and how many of the question's runs of four words it has; the largest share.
        n_same: Benchmark questions that are training prompts.
        merged: Model → share of answers that its tokenizer would join with the prompt. Training and generation keep them apart.
    """

    n_pairs: int
    words: tuple[float, float]
    length_auc: float
    tells: tuple[Tell, ...]
    n_equal: int
    nearest: tuple[str, str, float]
    n_same: int
    merged: dict[str, float]

    def warnings(self) -> Iterator[str]:
        """What to look at before training."""
        low, high = EVEN_LENGTHS
        if not low <= self.length_auc <= high:
            yield f"length tells the sides apart (AUC {self.length_auc:.2f}; even would be 0.50)"
        often, rarely = TELL
        for tell in self.tells:
            if max(tell.safe, tell.unsafe) >= often and min(tell.safe, tell.unsafe) <= rarely:
                yield f"`{tell.words}` alone tells the sides apart ({tell.safe:.0%} of safe, {tell.unsafe:.0%} of unsafe answers)"
        if self.n_equal:
            yield f"{self.n_equal} pairs have the same answer on both sides"
        if self.n_same:
            yield f"{self.n_same} benchmark questions are training prompts: what is reported on them is no generalisation"
        elif self.nearest[2] >= OVERLAP:
            yield f"a benchmark question is close to a training prompt: {self.nearest[0]!r} and {self.nearest[1]!r}"


def check(pairs: pd.DataFrame, questions: Sequence[str], boundaries: dict[str, Boundary]) -> Checked:
    """Looks at a task.

    Args:
        pairs: `schemas.Pairs`.
        questions: Prompts of every benchmark.
        boundaries: Model → whether its tokenizer joins a prompt and an answer.
    """
    safe, unsafe = (pairs[side].map(_words) for side in ("safe", "unsafe"))
    prompts = set(pairs["prompt"])
    return Checked(
        n_pairs=len(pairs),
        words=(float(safe.map(len).mean()), float(unsafe.map(len).mean())),
        length_auc=float(mannwhitneyu(unsafe.map(len), safe.map(len)).statistic) / len(pairs) ** 2,
        tells=tuple(_tells(safe, unsafe)),
        n_equal=int(pairs["safe"].eq(pairs["unsafe"]).sum()),
        nearest=_nearest(sorted(prompts), questions),
        n_same=sum(question in prompts for question in questions),
        merged={model: _share_merged(pairs, joins) for model, joins in boundaries.items()},
    )


def _words(text: str) -> list[str]:
    return [word.strip('.,:;!?"()').lower() for word in text.split()]


def _runs(words: Sequence[str], longest: int = LONGEST_TELL, shortest: int = 1) -> set[str]:
    return {" ".join(words[at : at + n]) for n in range(shortest, longest + 1) for at in range(len(words) - n + 1)}


def _tells(safe: pd.Series, unsafe: pd.Series) -> Iterator[Tell]:
    counts = [Counter(run for words in side for run in _runs(words)) for side in (safe, unsafe)]
    shares = {
        run: Tell(run, counts[0][run] / len(safe), counts[1][run] / len(unsafe)) for run in counts[0].keys() | counts[1].keys()
    }
    order = sorted(shares.values(), key=lambda tell: (-abs(tell.safe - tell.unsafe), len(tell.words), tell.words))
    yield from order[:N_TELLS]


def _nearest(prompts: Sequence[str], questions: Sequence[str]) -> tuple[str, str, float]:
    runs = {prompt: _runs(_words(prompt), RUN, RUN) for prompt in prompts}
    best = ("", "", 0.0)
    for question in questions:
        own = _runs(_words(question), RUN, RUN)
        for prompt, theirs in runs.items():
            share = len(own & theirs) / len(own) if own else 0.0
            if share > best[2]:
                best = (question, prompt, share)
    return best


def _share_merged(pairs: pd.DataFrame, joins: Boundary) -> float:
    found = [
        joins(row.prompt, None if pd.isna(row.system) else str(row.system), answer)
        for row in pairs.itertuples()
        for answer in (row.safe, row.unsafe)
    ]
    return sum(found) / len(found)


def report(name: str, found: Checked) -> str:
    """For people."""
    lines = [
        f"tasks.{name}: {found.n_pairs} pairs",
        f"  length    {found.words[0]:.1f} words a safe answer, {found.words[1]:.1f} an unsafe one; AUC {found.length_auc:.2f}",
        "  tells     " + ", ".join(f"`{tell.words}` {tell.safe:.0%} / {tell.unsafe:.0%}" for tell in found.tells),
    ]
    if found.nearest[0]:
        question, prompt, share = found.nearest
        lines.append(f"  benchmark {question!r} shares {share:.0%} of its runs of four words with {prompt!r}")
    lines += [f"  boundary  {share:.1%} of answers would merge with the prompt in {model}" for model, share in found.merged.items()]
    return "\n".join([*lines, *(f"  ! {warning}" for warning in found.warnings())])
