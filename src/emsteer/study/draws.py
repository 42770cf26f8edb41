"""How many examples a study draws from each task, and whether there are as many."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from emsteer.study.inputs import with_harm
from emsteer.study.sweeps import SteeredSweep, Sweep

MORE_PAIRS = {"grammar": "raise its `n_pairs`", "file": "its file has too few lines"}


def too_few_pairs(sweeps: Mapping[str, Sweep], rest: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str, object]]:
    """Tasks with fewer pairs than a vector or adapter draws, each named once, in the first sweep that has it."""
    found: dict[tuple[str, str], tuple[tuple[str | int, ...], str, object]] = {}
    for sweep, values in sweeps.items():
        for task, name, n in _draws(values, rest):
            pairs = with_harm(rest["tasks"], task)
            there = pairs.n_pairs
            if there is not None and n > there:
                message = f"expected at least {n} pairs of {task}, which {name} draws: {MORE_PAIRS[pairs.kind]}"
                found.setdefault((task, name), ((sweep,), message, there))
    return list(found.values())


def _draws(sweep: Sweep, rest: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """(task, vectors or adapter, pairs that it needs) of a sweep."""
    base = rest["base_point"]
    if isinstance(sweep, SteeredSweep):
        made, names = rest["vectors"], sweep.vectors or (base.steered.vector,)
    else:
        made, names = rest["adapters"], sweep.adapters or (base.finetuned.adapter,)
    for task, name in itertools.product(sweep.tasks or (base.task,), names):
        of = [values for values in (made[name], made.get(getattr(made[name], "of", None))) if values]
        asked = [rest["elicitations"].get(getattr(values, "elicitation", None)) for values in of]
        yield task, name, sum(getattr(values, "n_examples", 0) for values in (*of, *asked))
        for held in getattr(made[name], "held", ()):
            yield held, name, made[name].n_examples
