"""Effects in the plan: a quiz beside the answers of every setting that is not one of many draws, and the table of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from emsteer import recipes
from emsteer.plan.arms import Arm
from emsteer.plan.cells import Cell, Raw
from emsteer.plan.counterparts import pack_of_counterparts
from emsteer.plan.packing import Plan
from emsteer.recipes import EffectsOf, Setting
from emsteer.study import Study

Inputs = Mapping[str, Sequence[Cell | Raw]]


@dataclass(frozen=True)
class QuizRead:
    """What the table's recipe names: the cells of all settings, and those of each model's broken setting."""

    measured: Sequence[EffectsOf] = ()
    broken: Mapping[str, str] = field(default_factory=dict)

    @property
    def pushed(self) -> tuple[EffectsOf, ...]:
        """Settings that are steered: what may not hold."""
        return tuple(one for one in self.measured if any(values.kind == "steering" for values in one.setting.treatments))


def effects_of(plan: Plan, study: Study, arms: Iterable[Arm], treated: Callable[[Arm], Inputs]) -> QuizRead:
    """Plans the cells of every arm; none where none are asked for.

    Args:
        plan: To which they are added.
        study: Says whether, and which quiz.
        arms: All of them.
        treated: Arm → its model, and what changes it.
    """
    if study.effects is None:
        return QuizRead()
    quiz = plan.raw(study.effects.quiz)
    found: dict[Setting, EffectsOf] = {}
    steered: dict[str, Arm] = {}  # of each model one, whatever the order of sweeps
    for arm in arms:
        setting = arm.setting
        if any(values.kind == "steering" and values.draw is not None for values in setting.treatments):
            continue
        recipe = recipes.Effects(treatments=arm.treatments)
        cell = plan.add("effects", arm.slug, recipe, {**treated(arm), "quiz": [quiz]}, setting.model)
        for task in [setting.task] if setting.task else study.tasks:
            about = setting.model_copy(update={"task": task})
            found[about] = EffectsOf(setting=about, effects=cell.address)
        if setting.arm == "steered" and len(setting.treatments) == 1:
            steered[setting.model] = min(steered.get(setting.model, arm), arm, key=lambda one: _far_from_base(study, one))
    broken = {model: _broken(plan, arm, quiz, study.effects.broken_at).address for model, arm in sorted(steered.items())}
    return QuizRead(sorted(found.values(), key=lambda one: one.model_dump_json()), broken)


def _far_from_base(study: Study, arm: Arm) -> tuple[bool, str]:
    """Arms of the base point's vector come first: sweeps have random directions of them anyway."""
    return arm.setting.treatments[0].model_dump().get("vector") != study.base_point.steered.vector, arm.slug


def _broken(plan: Plan, arm: Arm, quiz: Raw, dose: float) -> Cell:
    """A setting that every number must tell from base, or it tells nothing."""
    vector, model = arm.made[0], arm.setting.model
    stem = f"{vector.address.partition('--')[0]}.random0"
    random = plan.add("vectors", stem, recipes.RandomDirection(draw=0), {"like": [vector]}, pack_of_counterparts(model))
    layer = next(one.layer for one in arm.treatments if not isinstance(one, recipes.Adapted))
    push = recipes.Steering(layer=layer, dose=dose, unit="residual_norm", positions="all")
    inputs: Inputs = {"model": [arm.model], "quiz": [quiz], "vector": [random], "calibration": [arm.calibration]}
    return plan.add("effects", f"{model}.broken", recipes.Effects(treatments=(push,)), inputs, model)


def effects_table(plan: Plan, read: QuizRead, counts: Cell, level: float) -> dict[str, Cell]:
    """The table, where there is anything to put into it."""
    if not read.measured:
        return {}
    recipe = recipes.EffectsTable(level=level, measured=tuple(read.measured), broken=dict(read.broken))
    names = dict.fromkeys([*(one.effects for one in read.measured), *read.broken.values()])
    inputs = {"counts": [counts], "effects": [plan.cells["effects"][name] for name in names]}
    return {"effects": plan.add("tables", "effects", recipe, inputs, "statistics")}
