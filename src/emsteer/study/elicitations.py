"""What models are asked under contrasting system lines, so that vectors can be made of their own answers."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo

from emsteer import recipes
from emsteer.recipes import ContrastingLines, Count
from emsteer.study.inputs import HarmlessTask, TaskFromFile
from emsteer.study.shape import Distinct, known, rest_of_the_file
from emsteer.study.sweeps import SteeredSweep, Sweep

Mistake = tuple[tuple[str | int, ...], str, object]  # where, what, and what was found


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


def not_elicited(sweeps: Mapping[str, Sweep], rest: dict[str, Any], judges: Mapping[str, object]) -> Iterator[Mistake]:
    """Sweeps whose vectors are made of a model's own answers, on tasks that are not for that; `judges`: name → kind."""
    for sweep, values in sweeps.items():
        for name in values.vectors or (rest["base_point"].steered.vector,) if isinstance(values, SteeredSweep) else ():
            elicitation = rest["elicitations"].get(rest["vectors"][name].elicited)
            for task in values.tasks or (rest["base_point"].task,) if elicitation else ():
                of = rest["tasks"][task]
                if isinstance(of, HarmlessTask):
                    yield (
                        (sweep,),
                        f"expected tasks that are no controls: {name} reads prompts alone, and its lines ask for harm",
                        task,
                    )
                elif isinstance(of, TaskFromFile) and judges.get(elicitation.judge) == "rubric":
                    message = f"expected tasks of the grammar: {elicitation.judge}, which judges {name}, knows no other sentences"
                    yield (sweep,), message, task
