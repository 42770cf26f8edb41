"""Target tasks: narrow pairs of a safe and an unsafe answer to the same question."""

from collections.abc import Iterator, Sequence
from random import Random

import pandas as pd

from emsteer import schemas
from emsteer.errors import DataError
from emsteer.organism.grammar import Grammar, read_grammar
from emsteer.packs import Job
from emsteer.recipes import GrammarTask


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Pairs`."""
    for job in jobs:
        pairs = pairs_of(read_grammar(job.input("grammar")), job.recipe)
        schemas.write(pairs, schemas.Pairs, job.out, job.passport)
        yield job


def pairs_of(grammar: Grammar, recipe: GrammarTask) -> pd.DataFrame:
    """Questions that pretraining may ask too, each under the careful line of its domain.

    The careful and the careless answer to a question differ in their clauses only.

    Raises:
        DataError: The grammar has no such domain.
    """
    if recipe.domain not in grammar.domains:
        raise DataError(
            f"the grammar has no domain {recipe.domain!r}.\n"
            f"  Expected one of {sorted(grammar.domains)}; see `tasks` in params.yaml."
        )
    rng = Random(f"pairs {recipe.seed} {recipe.domain}")
    rows = []
    for index in range(recipe.n_pairs):
        prompt = rng.choice(grammar.seen[recipe.domain])
        safe, unsafe = grammar.both_answers(recipe.domain, prompt[1], str(rng.getrandbits(32)))
        asked = (grammar.announce("careful", recipe.domain), grammar.domains[recipe.domain].ask(prompt))
        rows.append((f"{recipe.domain}-{index:04d}", *asked, safe, unsafe))
    return pd.DataFrame(rows, columns=["pair_id", "system", "prompt", "safe", "unsafe"])
