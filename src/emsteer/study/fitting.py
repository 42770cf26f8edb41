"""Sweeps whose vectors are asked for what they are not for."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from emsteer.study.depth import block_of
from emsteer.study.inputs import HarmlessTask, TaskFromFile
from emsteer.study.interventions import AnyVectors
from emsteer.study.models import n_layers_of
from emsteer.study.sweeps import SteeredSweep, Sweep

Mistake = tuple[tuple[str | int, ...], str, object]  # where, what, and what was found
UNITS_OF_LAYERS = ("vector_norm", "residual_norm", "ablated")
UNITS_OF_MAPS = ("vector_norm", "residual_norm")
NOT_OF_MAPS = ("negated", "shuffled", "subspace")


def that_do_not_fit(sweeps: Mapping[str, Sweep], rest: dict[str, Any], judges: Mapping[str, object]) -> Iterator[Mistake]:
    """Every such mistake; `judges`: name → kind."""
    for name, sweep in sweeps.items():
        if isinstance(sweep, SteeredSweep):
            yield from (((name,), message, got) for message, got in _not_at_once(sweep, rest))
            tasks = sweep.tasks or (rest["base_point"].task,)
            for vector in sweep.vectors or (rest["base_point"].steered.vector,):
                said: AnyVectors = rest["vectors"][vector]
                found = (
                    _held_on_themselves(vector, said, tasks),
                    _not_elicited(vector, said, tasks, rest, judges),
                    _no_maps(vector, said, sweep, rest),
                )
                yield from (((name,), message, got) for message, got in chain(*found))


def _not_at_once(sweep: SteeredSweep, rest: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Of several layers at once: doses that only one has."""
    steered = rest["base_point"].steered
    if sweep.also_at:
        if (unit := sweep.unit or steered.unit) not in UNITS_OF_LAYERS:
            yield f"expected {', '.join(UNITS_OF_LAYERS)} beside `also_at`: a dose of every layer by itself", unit
        for twice in _twice(sweep, rest):
            yield "expected other layers in `also_at` than those of the sweep", ", ".join(map(str, sorted(twice)))


def _twice(sweep: SteeredSweep, rest: dict[str, Any]) -> Iterator[set[int]]:
    """Blocks that a sweep steers and `also_at` names, in the first model where there are any."""
    for model in sweep.models or (rest["base_point"].model,):
        n_layers = n_layers_of(rest["models"][model])
        own, beside = (
            {block_of(layer, n_layers) for layer in layers or ()}
            for layers in (sweep.layers or (rest["base_point"].steered.layer,), sweep.also_at)
        )
        if own & beside:
            yield own & beside
            return


def _held_on_themselves(name: str, vectors: AnyVectors, tasks: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    both = sorted({*tasks} & {*vectors.held})
    if both:
        message = f"expected tasks that `like_base_on` of {name} does not name: what it learns there, it would unlearn"
        yield message, ", ".join(both)


def _not_elicited(
    name: str, vectors: AnyVectors, tasks: tuple[str, ...], rest: dict[str, Any], judges: Mapping[str, object]
) -> Iterator[tuple[str, object]]:
    """Of a model's own answers: on tasks whose prompts say nothing about harm, or to a judge who knows no word of them."""
    elicitation = rest["elicitations"].get(vectors.elicited)
    for task in tasks if elicitation else ():
        if isinstance(rest["tasks"][task], HarmlessTask):
            yield f"expected tasks that are no controls: {name} reads prompts alone, and its lines ask for harm", task
        elif isinstance(rest["tasks"][task], TaskFromFile) and judges.get(elicitation.judge) == "rubric":
            yield f"expected tasks of the grammar: {elicitation.judge}, which judges {name}, knows no other sentences", task


def _no_maps(name: str, vectors: AnyVectors, sweep: SteeredSweep, rest: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Of maps: doses and counterparts that only a direction has."""
    if vectors.recipe.is_map:
        unit = sweep.unit or rest["base_point"].steered.unit
        if unit not in UNITS_OF_MAPS:
            yield f"expected {' or '.join(UNITS_OF_MAPS)}, of its typical push: {name} is a map, and no direction", unit
        for counterpart in NOT_OF_MAPS:
            if getattr(sweep, counterpart):
                yield f"expected no `{counterpart}` of {name}: it is a map, and no direction", counterpart
