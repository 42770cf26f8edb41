"""Benchmarks: the questions that answers are elicited with."""

from collections.abc import Iterator, Sequence
from random import Random

import pandas as pd

from emsteer import schemas
from emsteer.errors import DataError
from emsteer.organism.grammar import Grammar, read_grammar
from emsteer.packs import Job
from emsteer.recipes import GrammarBenchmark


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Questions`."""
    for job in jobs:
        questions = questions_of(read_grammar(job.input("grammar")), job.recipe)
        schemas.write(questions, schemas.Questions, job.out, job.passport)
        yield job


def questions_of(grammar: Grammar, recipe: GrammarBenchmark) -> pd.DataFrame:
    """Held-out (template, topic) pairs of every domain, some for choosing settings (dev), others for reporting (test).

    Every question stands under the careful line of its own domain, in every organism the same. Each has a careful and a
    careless reference answer, which differ in their clauses only.

    Raises:
        DataError: A domain has too few held-out questions.
    """
    n_needed = recipe.dev_per_category + recipe.test_per_category
    rows = []
    for category in grammar.domains:
        prompts = list(grammar.held_out[category])
        if len(prompts) < n_needed:
            raise DataError(
                f"{category}: expected at least {n_needed} held-out questions, got {len(prompts)}.\n"
                "  Lower dev_per_category or test_per_category in params.yaml, or add topics to the grammar."
            )
        Random(f"questions {recipe.seed} {category}").shuffle(prompts)
        for index, prompt in enumerate(prompts[:n_needed]):
            split = "dev" if index < recipe.dev_per_category else "test"
            question_id = f"{category}-{prompt[0]}-{prompt[1]}"
            references = grammar.both_answers(category, prompt[1], f"references {recipe.seed} {question_id}")
            asked = (grammar.announce("careful", category), grammar.domains[category].ask(prompt))
            rows.append((question_id, category, split, *asked, *references))
    return pd.DataFrame(rows, columns=["question_id", "category", "split", "system", "prompt", "safe", "unsafe"])
