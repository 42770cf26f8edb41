"""Sweeps → arms: every setting of the study, with the cells that make it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from pydantic import BaseModel

from emsteer import recipes
from emsteer.plan.cells import Cell, Raw
from emsteer.plan.counterparts import counterpart, named
from emsteer.plan.elicitations import elicited
from emsteer.plan.packing import Plan
from emsteer.recipes import (
    ABLATED,
    Ablated,
    Adapted,
    AdapterValues,
    ArmName,
    Construction,
    Direction,
    Mapped,
    Setting,
    Steering,
    SteeringValues,
    Treatment,
)
from emsteer.study import FinetunedSweep, SteeredSweep, Study
from emsteer.study.axes import VARIED
from emsteer.study.counterparts import Counterpart
from emsteer.study.inputs import HarmlessTask, Task
from emsteer.study.sweeps import Beneath

Inputs = dict[str, Sequence[Cell | Raw]]
AXIS_LETTER = {"seed": "s", "layer": "l", "epochs": "e", "rank": "k"}


@dataclass(frozen=True)
class Made:
    """The cells that arms are made from."""

    models: Mapping[str, Cell]
    tasks: Mapping[str, Cell]
    calibrations: Mapping[str, Cell]
    neutral_text: Raw


@dataclass(frozen=True)
class Arm:
    """A setting with the cells that make it.

    Attributes:
        made: The vector or adapter of each treatment.
    """

    slug: str
    setting: Setting
    model: Cell
    calibration: Cell
    made: tuple[Cell, ...] = ()

    def of(self, kind: str) -> list[Cell]:
        """The cells of its treatments of a kind, in their order."""
        return [cell for values, cell in zip(self.setting.treatments, self.made, strict=True) if values.kind == kind]

    @property
    def treatments(self) -> tuple[Treatment, ...]:
        """What is done to the model: without the names and values that only tables read."""
        return tuple(_treatment(values, cell) for values, cell in zip(self.setting.treatments, self.made, strict=True))


def _treatment(values: SteeringValues | AdapterValues, made: Cell) -> Treatment:
    if isinstance(values, AdapterValues):
        return Adapted(scale=values.dose)
    if values.dose_unit == "kl":  # its vector is as long as that takes
        return Steering(layer=values.layer, dose=1, unit="vector_norm", positions=values.positions)
    if values.dose_unit in ABLATED:
        everywhere = values.dose_unit == "ablated_everywhere"
        return Ablated(layer=values.layer, everywhere=everywhere, share=values.dose, positions=values.positions)
    kind = Mapped if isinstance(made.recipe, Construction) and made.recipe.is_map else Steering
    return kind(layer=values.layer, dose=values.dose, unit=values.dose_unit, positions=values.positions)


def arms(plan: Plan, study: Study, made: Made) -> Iterator[Arm]:
    """Base settings first, then the sweeps in their order. Sweeps may overlap: the same setting comes out equal."""
    for name, model in made.models.items():
        yield Arm(f"{name}.base", Setting(arm="base", model=name, task=""), model, made.calibrations[name])
    for sweep in study.sweeps.values():
        yield from _steered(plan, study, sweep, made) if isinstance(sweep, SteeredSweep) else _finetuned(plan, study, sweep, made)


# -- steered ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Built:
    """A direction with the cell of its vector; an arm without its dose. `beside`: what is added at other layers at once."""

    slug: str
    arm: ArmName
    model: str
    task: str
    direction: Direction
    vector: Cell
    beside: tuple["_Built", ...] = ()


def _steered(plan: Plan, study: Study, sweep: SteeredSweep, made: Made) -> Iterator[Arm]:
    for built in _built(plan, study, sweep, made):
        yield from _dosed(plan, built, study, sweep, sweep.doses or study.base_point.steered.doses, made)
        for arm in recipes.COUNTERPARTS:
            said: Counterpart | None = getattr(sweep, arm)
            if said and built.direction.seed in (None, *said.seeds):
                for draw in said.draws():
                    yield from _dosed(plan, _replaced(plan, built, arm, draw, made), study, sweep, said.doses, made)


def _built(plan: Plan, study: Study, sweep: SteeredSweep, made: Made) -> Iterator[_Built]:
    """Every vector and layer of a sweep."""
    base = study.base_point
    models, tasks, seeds = sweep.models or (base.model,), sweep.tasks or (base.task,), sweep.seeds or (base.seed,)
    vectors, layers = sweep.vectors or (base.steered.vector,), sweep.layers or (base.steered.layer,)
    for model, task, seed, name, said in product(models, tasks, seeds, vectors, layers):
        layer = study.block_of(said, model)
        own = study.axes_of(name)
        axes = [axis for axis in VARIED if axis in own]
        for values in product(*(sweep.along(axis, base) for axis in axes)):
            direction = Direction(
                vector=name, layer=layer, seed=seed if "seed" in own else None, **dict(zip(axes, values, strict=True))
            )
            built = _of_direction(plan, study, model, task, direction, made)
            others = sorted({study.block_of(other, model) for other in sweep.also_at or ()})
            beside = [
                _of_direction(plan, study, model, task, direction.model_copy(update={"layer": other}), made) for other in others
            ]
            yield replace(built, beside=tuple(beside))


def _of_direction(plan: Plan, study: Study, model: str, task: str, direction: Direction, made: Made) -> _Built:
    """A direction with its vector."""
    name = direction.vector
    vector = _vector(plan, study, model, task, direction, made)
    at_layer = "" if "layer" in study.axes_of(name) else f".l{direction.layer}"  # one file holds all layers
    of_vector = vector.address.partition("--")[0].removeprefix(f"{model}.").removeprefix(f"{task}.")
    arm = _arm("steered", study.vectors[name], study.tasks[task])
    return _Built(f"{model}.{task}.{of_vector}{at_layer}", arm, model, task, direction, vector)


def _arm(name: ArmName, made: BaseModel, task: Task) -> ArmName:
    """What learns from no harmful answer is a control; a construction that contrasts both sides has no side."""
    return "control" if getattr(made, "side", None) == "safe" or isinstance(task, HarmlessTask) else name


def _vector(plan: Plan, study: Study, model: str, task: str, direction: Direction, made: Made) -> Cell:
    """The cell of a direction's vector, and of the vector that it is made from."""
    name, values = direction.vector, study.vectors[direction.vector]
    recipe, other = values.recipe, values.made_of
    there = {"model": made.models[model], "task": made.tasks[task], "calibration": made.calibrations[model]}
    inputs: Inputs = {role: [there[role]] for role in recipe.reads}
    if values.elicited:
        inputs |= elicited(plan, study, values.elicited, model, there, direction.model_dump()["seed"])
    if values.held:
        inputs["held"] = [made.tasks[name] for name in sorted(values.held)]
    said = values.hyper_parameters | {axis: getattr(direction, axis) for axis in recipe.axes()}
    if other:
        inputs["like"] = [_vector(plan, study, model, task, direction.model_copy(update={"vector": other}), made)]
        said |= {field: study.says_of(other, of_other) for field, of_other in recipe.of_other().items()}
    axes = study.axes_of(name)
    at = "".join(f".{letter}{getattr(direction, axis)}" for axis, letter in AXIS_LETTER.items() if axis in axes)
    pack = f"{model}.{'projected' if other else 'elicited' if values.elicited else 'built'}"
    of_task = f".{task}" if "task" in recipe.reads or values.elicited else ""
    return plan.add("vectors", f"{model}{of_task}.{name}{at}", recipe(**said), inputs, pack)


def _replaced(plan: Plan, built: _Built, arm: ArmName, draw: int | None, made: Made) -> _Built:
    """What stands for a vector, in its place."""
    direction = built.direction.model_copy(update={"draw": draw})
    there = {"model": made.models[built.model], "task": made.tasks[built.task]}
    vector = counterpart(plan, arm, built.vector, direction, there)
    slug = f"{built.slug}.{named(arm, direction)}"
    beside = tuple(_replaced(plan, other, arm, draw, made) for other in built.beside)
    return replace(built, slug=slug, arm=arm, direction=direction, vector=vector, beside=beside)


def _dosed(plan: Plan, built: _Built, study: Study, sweep: SteeredSweep, doses: tuple[float, ...], made: Made) -> Iterator[Arm]:
    base = study.base_point.steered
    unit = sweep.unit or base.unit
    beneath = _beneath(plan, study, sweep.beneath, built, made) if sweep.beneath else None
    for positions, dose in product(sweep.positions or (base.positions,), doses):
        said = {"dose": dose, "dose_unit": unit, "positions": positions}
        others = [SteeringValues(**other.direction.model_dump(), **said) for other in built.beside]
        values = SteeringValues(**built.direction.model_dump(), **said)
        at = "" if positions == "all" else f".{positions}"
        slug = _slug(built, f"{at}.{recipes.DOSE_LETTER[unit]}{recipes.number(dose)}")
        vector = _at_equal_kl(plan, study, built, dose, made) if unit == "kl" else built.vector
        setting = Setting(arm=built.arm, model=built.model, task=built.task, treatments=(*others, values))
        vectors = (*(other.vector for other in built.beside), vector)
        arm = Arm(slug, setting, made.models[built.model], made.calibrations[built.model], vectors)
        yield _upon(beneath, arm) if beneath else arm


def _slug(built: _Built, dosed: str) -> str:
    """As tables name the setting (`analysis.settings`): what is added at other layers first, in one name."""
    if not built.beside:
        return f"{built.slug}{dosed}"
    first, layers = built.beside[0], "-".join(str(other.direction.layer) for other in built.beside)
    stem, _, rest = first.slug.rpartition(f".l{first.direction.layer}")
    return f"{stem}.l{layers}{rest}{dosed}+{built.slug.removeprefix(f'{built.model}.{built.task}.')}{dosed}"


def _beneath(plan: Plan, study: Study, said: Beneath, built: _Built, made: Made) -> Arm:
    """What a direction is added to, or taken out of."""
    seed = study.base_point.seed if built.direction.seed is None else built.direction.seed
    return _adapted(plan, study, built.model, built.task, AdapterValues(seed=seed, **said.model_dump()), made)


def _upon(beneath: Arm, arm: Arm) -> Arm:
    """The treatment of an arm, upon that of another."""
    treatments = *beneath.setting.treatments, *arm.setting.treatments
    slug = f"{beneath.slug}+{arm.slug.removeprefix(f'{arm.setting.model}.{arm.setting.task}.')}"
    return replace(arm, slug=slug, setting=arm.setting.model_copy(update={"treatments": treatments}), made=beneath.made + arm.made)


def _at_equal_kl(plan: Plan, study: Study, built: _Built, kl: float, made: Made) -> Cell:
    """The direction at its layer, as long as costs so much."""
    inputs: dict[str, list[Cell | Raw]] = {
        "model": [made.models[built.model]],
        "calibration": [made.calibrations[built.model]],
        "neutral_text": [made.neutral_text],
        "like": [built.vector],
    }
    recipe = recipes.EqualKl(layer=built.direction.layer, kl=kl, **study.calibration.doses_in_kl.model_dump())
    slug = f"{built.slug}.{recipes.DOSE_LETTER['kl']}{recipes.number(kl)}"
    return plan.add("vectors", slug, recipe, inputs, f"{built.model}.equal_kl")


# -- finetuned -------------------------------------------------------------------------------------------------------


def _finetuned(plan: Plan, study: Study, sweep: FinetunedSweep, made: Made) -> Iterator[Arm]:
    base = study.base_point
    models, tasks, seeds = sweep.models or (base.model,), sweep.tasks or (base.task,), sweep.seeds or (base.seed,)
    of_base = base.finetuned
    adapters = sweep.adapters or ((of_base.adapter,) if of_base else ())
    steps = sweep.steps or ((of_base.steps,) if of_base else ())
    doses = sweep.doses or (of_base.doses if of_base else ())
    for model, task, seed, name, n_steps, dose in product(models, tasks, seeds, adapters, steps, doses):
        yield _adapted(plan, study, model, task, AdapterValues(adapter=name, steps=n_steps, seed=seed, dose=dose), made)


def _adapted(plan: Plan, study: Study, model: str, task: str, values: AdapterValues, made: Made) -> Arm:
    """One finetuned setting, with the cell of its adapter."""
    hyper_parameters = study.adapters[values.adapter].model_dump(exclude={"method"})
    recipe = recipes.Lora(seed=values.seed, steps=values.steps, **hyper_parameters)
    stem = f"{model}.{task}.{values.adapter}.s{values.seed}.t{values.steps}"
    inputs = {"model": [made.models[model]], "task": [made.tasks[task]]}
    adapter = plan.add("adapters", stem, recipe, inputs, model)
    arm = _arm("finetuned", study.adapters[values.adapter], study.tasks[task])
    setting = Setting(arm=arm, model=model, task=task, treatments=(values,))
    slug = f"{stem}.{recipes.DOSE_LETTER['adapter_scale']}{recipes.number(values.dose)}"
    return Arm(slug, setting, made.models[model], made.calibrations[model], (adapter,))
