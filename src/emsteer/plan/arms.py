"""Sweeps → arms: every setting of the study, with the cells that make it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

from emsteer import recipes
from emsteer.plan.cells import Cell, Plan
from emsteer.recipes import Setting, Steering
from emsteer.study import FinetunedSweep, SteeredSweep, Study

DOSE_LETTER = {"vector_norm": "a", "residual_norm": "c", "adapter_scale": "x"}


@dataclass(frozen=True)
class Made:
    """The cells that arms are made from."""

    models: Mapping[str, Cell]
    tasks: Mapping[str, Cell]
    calibrations: Mapping[str, Cell]


@dataclass(frozen=True)
class Arm:
    """A setting with the cells that make it."""

    slug: str
    setting: Setting
    model: Cell
    calibration: Cell
    vector: Cell | None = None
    adapter: Cell | None = None
    steering: Steering | None = None


def arms(plan: Plan, study: Study, made: Made) -> Iterator[Arm]:
    """Base settings first, then the sweeps in their order. Sweeps may overlap: the same setting comes out equal."""
    for name, model in made.models.items():
        yield Arm(f"{name}.base", Setting(arm="base", model=name, task=""), model, made.calibrations[name])
    for sweep in study.sweeps.values():
        yield from _steered(plan, study, sweep, made) if isinstance(sweep, SteeredSweep) else _finetuned(plan, study, sweep, made)


# -- steered ---------------------------------------------------------------------------------------------------------


def _steered(plan: Plan, study: Study, sweep: SteeredSweep, made: Made) -> Iterator[Arm]:
    for built, vector in _built(plan, study, sweep, made):
        yield from _dosed(built, study, sweep, sweep.doses or study.base_point.steered.doses)
        if sweep.random and built.setting.seed in sweep.random.seeds:
            for draw in range(sweep.random.n_draws):
                yield from _dosed(_randomised(plan, built, vector, draw), study, sweep, sweep.random.doses)


def _built(plan: Plan, study: Study, sweep: SteeredSweep, made: Made) -> Iterator[tuple[Arm, Cell]]:
    """One arm for every vector and layer of a sweep, without a dose yet."""
    base = study.base_point
    models, tasks, seeds = sweep.models or (base.model,), sweep.tasks or (base.task,), sweep.seeds or (base.seed,)
    vectors, layers = sweep.vectors or (base.steered.vector,), sweep.layers or (base.steered.layer,)
    for model, task, seed, name, layer in product(models, tasks, seeds, vectors, layers):
        construction = study.vectors[name].construction
        epochs = (None,) if construction == "mean_difference" else sweep.epochs or (base.steered.epochs,)
        ranks = sweep.ranks or () if construction == "low_rank" else (None,)
        for of_epochs, rank in product(epochs, ranks):
            setting = Setting(
                arm="steered", model=model, task=task, vector=name, layer=layer, epochs=of_epochs, rank=rank, seed=seed
            )
            vector = _vector(plan, study, setting, made)
            at_layer = f".l{layer}" if construction == "mean_difference" else ""  # one file holds all layers
            slug = vector.address.partition("--")[0] + at_layer
            yield Arm(slug, setting, made.models[model], made.calibrations[model], vector), vector


def _vector(plan: Plan, study: Study, setting: Setting, made: Made) -> Cell:
    """The cell of a setting's vector, and of the vector that it is made from."""
    values = study.vectors[str(setting.vector)]
    seed, layer, epochs = setting.seed or 0, setting.layer or 0, setting.epochs or 0
    shared = values.model_dump(exclude={"construction", "of"})
    stem = f"{setting.model}.{setting.task}.{setting.vector}.s{seed}"
    inputs = {"model": [made.models[setting.model]], "task": [made.tasks[setting.task]]}
    if values.construction == "trained":
        recipe: recipes.Recipe = recipes.Trained(seed=seed, layer=layer, epochs=epochs, **shared)
        return plan.add("vectors", f"{stem}.l{layer}.e{epochs}", recipe, inputs, f"{setting.model}.built")
    if values.construction == "mean_difference":
        return plan.add("vectors", stem, recipes.MeanDifference(seed=seed, **shared), inputs, f"{setting.model}.built")
    whole = _vector(plan, study, setting.model_copy(update={"vector": values.of, "rank": None}), made)
    n_held_back = study.vectors[values.of].n_examples
    recipe = recipes.LowRank(rank=setting.rank or 0, layer=layer, seed=seed, n_held_back=n_held_back, **shared)
    slug = f"{stem}.l{layer}.e{epochs}.k{setting.rank}"
    return plan.add("vectors", slug, recipe, {**inputs, "like": [whole]}, f"{setting.model}.projected")


def _randomised(plan: Plan, built: Arm, like: Cell, draw: int) -> Arm:
    slug = f"{like.address.partition('--')[0]}.random{draw}"
    recipe = recipes.RandomDirection(draw=draw)
    vector = plan.add("vectors", slug, recipe, {"like": [like]}, f"{built.setting.model}.random")
    setting = built.setting.model_copy(update={"arm": "random", "draw": draw})
    return replace(built, slug=f"{built.slug}.random{draw}", setting=setting, vector=vector)


def _dosed(built: Arm, study: Study, sweep: SteeredSweep, doses: tuple[float, ...]) -> Iterator[Arm]:
    base = study.base_point.steered
    unit = sweep.unit or base.unit
    for positions, dose in product(sweep.positions or (base.positions,), doses):
        setting = built.setting.model_copy(update={"dose": dose, "dose_unit": unit, "positions": positions})
        steering = Steering(layer=setting.layer or 0, dose=dose, unit=unit, positions=positions)
        at = "" if positions == "all" else f".{positions}"
        yield replace(built, slug=f"{built.slug}{at}.{DOSE_LETTER[unit]}{recipes.number(dose)}", setting=setting, steering=steering)


# -- finetuned -------------------------------------------------------------------------------------------------------


def _finetuned(plan: Plan, study: Study, sweep: FinetunedSweep, made: Made) -> Iterator[Arm]:
    base = study.base_point
    models, tasks, seeds = sweep.models or (base.model,), sweep.tasks or (base.task,), sweep.seeds or (base.seed,)
    of_base = base.finetuned
    adapters = sweep.adapters or ((of_base.adapter,) if of_base else ())
    steps = sweep.steps or ((of_base.steps,) if of_base else ())
    doses = sweep.doses or (of_base.doses if of_base else ())
    for model, task, seed, name, n_steps in product(models, tasks, seeds, adapters, steps):
        values = study.adapters[name].model_dump(exclude={"method"})
        recipe = recipes.Lora(seed=seed, steps=n_steps, **values)
        stem = f"{model}.{task}.{name}.s{seed}.t{n_steps}"
        inputs = {"model": [made.models[model]], "task": [made.tasks[task]]}
        adapter = plan.add("adapters", stem, recipe, inputs, model)
        for dose in doses:
            setting = Setting(
                arm="finetuned", model=model, task=task, adapter=name, steps=n_steps, seed=seed,
                dose=dose, dose_unit="adapter_scale",
            )  # fmt: skip
            slug = f"{stem}.{DOSE_LETTER['adapter_scale']}{recipes.number(dose)}"
            yield Arm(slug, setting, made.models[model], made.calibrations[model], adapter=adapter)
