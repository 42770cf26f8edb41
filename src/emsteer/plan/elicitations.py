"""Elicitations in the plan: prompts under contrasting lines, a model's answers to them, and what a judge says of these."""

from collections.abc import Sequence

from emsteer import recipes
from emsteer.plan.cells import Cell, Raw
from emsteer.plan.judges import scores_cell
from emsteer.plan.packing import Plan
from emsteer.study import Study


def elicited(plan: Plan, study: Study, name: str, model: str, there: dict[str, Cell], seed: int) -> dict[str, Sequence[Cell | Raw]]:
    """What a vector is made of, by role.

    Args:
        plan: To which its cells are added.
        study: Which has the elicitation.
        name: Of the elicitation.
        model: Who is asked.
        there: Its cell, and that of the task.
        seed: Draws the prompts.
    """
    said = study.elicitations[name]
    slug = f"{there['task'].address.partition('--')[0]}.{name}.s{seed}"
    asks = recipes.ContrastingPrompts(lines=said.lines, n_examples=said.n_examples, seed=seed)
    prompts = plan.add("benchmarks", slug, asks, {"task": [there["task"]]}, "all")
    answers = recipes.Answers(
        study_seed=study.seed,
        first_sample=0,
        n_samples=said.samples_per_prompt,
        sampling=recipes.Sampling(temperature=said.temperature, max_new_tokens=said.max_new_tokens),
    )
    inputs = {"model": [there["model"]], "benchmark": [prompts]}
    spoken = plan.add("elicitations", f"{model}.{slug}", answers, inputs, model)
    scores = scores_cell(plan, study, said.judge, spoken, f"{said.judge}.{model}")
    return {"prompts": [prompts], "answers": [spoken], "scores": [scores]}
