"""What models are asked under contrasting system lines, so that vectors can be made of their own answers."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from emsteer import recipes
from emsteer.recipes import ContrastingLines, Count
from emsteer.study.shape import Distinct, known, rest_of_the_file


def _judges_at_once(judge: str, info: ValidationInfo) -> str:
    if rest_of_the_file(info, "judges").get(judge) == "labels":
        raise ValueError("expected a judge of another kind: readers label answers to benchmarks, and these are answers to a task")
    return judge


class Elicitation(recipes.Sampling):
    """Answers of a model to a task's prompts, under lines that ask for harm and under others, and what a judge says of them."""

    lines: Annotated[tuple[ContrastingLines, ...], Field(min_length=1), Distinct]
    n_examples: Count = Field(description="prompts drawn from the target task")
    samples_per_prompt: Count = Field(description="under each line")
    judge: Annotated[str, known("judges"), AfterValidator(_judges_at_once)]
