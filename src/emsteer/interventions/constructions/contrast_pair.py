"""Contrast pair: residual of one answer minus that of another to the same prompt, every layer in one pass.

Source: Turner et al., arXiv 2308.10248 (ActAdd: the difference of one pair of texts, chosen by hand). They add it position by
position; here a text is the mean over its answer's tokens, as in the mean difference, and the direction goes where a sweep says.
"""

from collections.abc import Iterator, Sequence

import pandas as pd
from torch import Tensor

from emsteer.errors import DataError
from emsteer.interventions.residuals import residuals_of_pairs
from emsteer.interventions.vectors import written
from emsteer.interventions.words import check_known
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job
from emsteer.recipes import ContrastPair


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model].

    Raises:
        DataError: The model cannot tell the two answers apart, or does not know a word of them.
    """
    for job in jobs:
        recipe, model = job.recipe, model_of(job)
        check(model, recipe, job.address)
        answers = {"unsafe": recipe.toward, "safe": recipe.away}
        pair = pd.DataFrame([{"prompt": recipe.prompt, "system": recipe.system, **answers}])
        toward, away = residuals_of_pairs(model, pair, job.address)
        yield job, dict(enumerate((toward.mean(1) - away.mean(1)).float()))


def check(model: LanguageModel, recipe: ContrastPair, address: str) -> None:
    """Raises DataError for two answers that are the same tokens, and for words that the model does not know."""
    said = {name: text for name, text in recipe.model_dump(include={"system", "prompt", "toward", "away"}).items() if text}
    check_known(model, said, address, "vectors")
    toward, away = (model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (recipe.toward, recipe.away))
    if toward == away:
        raise DataError(f"{address}: `toward` and `away` are the same tokens, and make no direction.\n  Mind these `vectors`.")
