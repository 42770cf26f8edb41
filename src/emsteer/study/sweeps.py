"""The base point, and the sweeps that each vary one factor around it."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from emsteer import recipes
from emsteer.recipes import ABLATED, COUNTERPARTS, Count, Dose, Seed, VectorUnit
from emsteer.recipes.counterparts import LARGEST_KL, LEAST_KL
from emsteer.study import axes
from emsteer.study.counterparts import Counterpart, DrawnCounterpart, check_vectors
from emsteer.study.depth import SAID, Layer, Layers, is_beyond
from emsteer.study.shape import Distinct, Doses, Section, Seeds, known, rest_of_the_file

Model = Annotated[str, known("models")]
Task = Annotated[str, known("tasks")]
Models = Annotated[tuple[Model, ...], Field(min_length=1), Distinct]
Tasks = Annotated[tuple[Task, ...], Field(min_length=1), Distinct]
Counts = Annotated[tuple[Count, ...], Field(min_length=1), Distinct]
FROM_BASE = "left out: that of the base point"


class SteeredPoint(Section):
    """The steered arm at the base point."""

    vector: Annotated[str, known("vectors")]
    layer: Layer = Field(description=f"whose output is steered: {SAID}")
    epochs: Count | None = Field(description="snapshot of a trained vector; null for constructions without epochs")
    doses: Doses
    unit: VectorUnit
    positions: recipes.Positions

    @field_validator("unit")
    @classmethod
    def _of_the_doses(cls, unit: VectorUnit, info: ValidationInfo) -> VectorUnit:
        if unit in ABLATED:
            raise ValueError("expected a unit of what is added; a sweep can take directions out")
        _suit(info.data.get("doses"), unit)
        return unit

    @field_validator("vector")
    @classmethod
    def _has_no_rank(cls, vector: str, info: ValidationInfo) -> str:
        if "rank" in axes.of_vectors(vector, info):
            raise ValueError("expected vectors without a rank, which only a sweep can give")
        return _unsafe(vector, "sides", info)

    @field_validator("layer")
    @classmethod
    def _inside_its_model(cls, layer: int | str, info: ValidationInfo) -> int | str:
        model = _base_model(info)
        n_layers = rest_of_the_file(info, "models").get(model)
        if n_layers and is_beyond(layer, n_layers):
            raise ValueError(f"expected a layer of {model} (0 to {n_layers - 1})")
        return layer

    @field_validator("epochs")
    @classmethod
    def _where_they_apply(cls, epochs: int | None, info: ValidationInfo) -> int | None:
        vector = str(info.data.get("vector"))
        if axes.are_known(vector, info) and (epochs is None) == ("epochs" in axes.of_vectors(vector, info)):
            expected = "null: they have no epochs" if epochs else "a number: they are snapshots"
            raise ValueError(f"of the vectors {vector}, expected {expected}")
        return epochs


class FinetunedPoint(Section):
    """The finetuned arm at the base point."""

    adapter: Annotated[str, known("adapters")]
    steps: Count = Field(description="optimizer steps before the snapshot")
    doses: Doses = Field(description="what the adapter's output is multiplied by")

    @field_validator("adapter")
    @classmethod
    def _is_no_control(cls, adapter: str, info: ValidationInfo) -> str:
        return _unsafe(adapter, "sides_of_adapters", info)


class BasePoint(Section):
    """The one setting that every sweep passes through."""

    model: Model
    task: Task
    seed: Seed = Field(description="draws the training examples of vectors and adapters")
    steered: SteeredPoint
    finetuned: FinetunedPoint | None

    @field_validator("task")
    @classmethod
    def _does_harm(cls, task: str, info: ValidationInfo) -> str:
        if rest_of_the_file(info, "tasks").get(task) == "harmless":
            raise ValueError("expected a task that does harm: a harmless one is a control, which only a sweep can give")
        return task


class Beneath(Section):
    """An adapter that works while a sweep steers; of the model, task and seed of each of its settings."""

    adapter: Annotated[str, known("adapters")]
    steps: Count = Field(description="optimizer steps before the snapshot")
    dose: Dose = Field(description="what the adapter's output is multiplied by")


class _Sweep(Section):
    models: Models | None = Field(None, description=FROM_BASE)
    tasks: Tasks | None = Field(None, description=FROM_BASE)
    seeds: Seeds | None = Field(None, description=FROM_BASE)


class SteeredSweep(_Sweep):
    """Steered settings: every combination of the axes. Vectors are built as needed."""

    arm: Literal["steered"]
    vectors: Annotated[tuple[Annotated[str, known("vectors")], ...], Field(min_length=1), Distinct] | None = Field(
        None, description=FROM_BASE, validate_default=True
    )
    layers: Layers | None = Field(None, description=FROM_BASE, validate_default=True)
    epochs: Counts | None = Field(None, description=f"{FROM_BASE}, for trained vectors", validate_default=True)
    ranks: Counts | None = Field(None, description="of low-rank vectors, and of them only", validate_default=True)
    unit: VectorUnit | None = Field(None, description=FROM_BASE)
    doses: Doses | None = Field(None, description=FROM_BASE, validate_default=True)
    positions: Annotated[tuple[recipes.Positions, ...], Field(min_length=1), Distinct] | None = Field(None, description=FROM_BASE)
    also_at: Layers | None = Field(
        None, description="other blocks that are steered at once, each by its own vector; left out: none"
    )
    beneath: Beneath | None = Field(None, description="what is steered; left out: the model itself")
    random: DrawnCounterpart | None = Field(None, description="Gaussian directions of equal norm; left out: none")
    negated: Counterpart | None = Field(None, description="the other way; left out: not")
    shuffled: DrawnCounterpart | None = Field(None, description="mean differences of equal norm, sides at random; left out: none")
    subspace: DrawnCounterpart | None = Field(None, description="projections on random subspaces, of equal norm; left out: none")

    def along(self, axis: str, base: BasePoint) -> tuple[int | None, ...]:
        """The values of `epochs` or `rank` here, for vectors that have that axis."""
        return (self.epochs or (base.steered.epochs,)) if axis == "epochs" else self.ranks or ()

    @field_validator("vectors")
    @classmethod
    def _are_drawn(cls, vectors: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        axes.check_seeds(info.data.get("seeds"), vectors or (str(_steered(info).get("vector")),), info)
        return vectors

    @field_validator("layers", "also_at")
    @classmethod
    def _inside_the_models(cls, layers: tuple[int | str, ...] | None, info: ValidationInfo) -> tuple[int | str, ...] | None:
        if layers is None and info.field_name == "also_at":
            return layers
        depths = {name: n for name, n in rest_of_the_file(info, "models").items() if n}
        if "models" in info.data:
            depths = {name: n for name, n in depths.items() if name in (info.data["models"] or (_base_model(info),))}
        else:  # that list has a mistake of its own; what is beyond the deepest is beyond all
            depths = dict(sorted(depths.items(), key=lambda item: item[1])[-1:])
        if layers is None:
            depths.pop(_base_model(info), None)  # reported at the base point
        own = _steered(info).get("layer")
        asked = layers or ((own,) if isinstance(own, int) else ())
        beyond = [f"{layer} in {name} (0 to {n - 1})" for layer in asked for name, n in depths.items() if is_beyond(layer, n)]
        if beyond:
            whose = "" if layers else " (the sweep gives none, so that of the base point)"
            raise ValueError(f"expected layers inside every model of the sweep; beyond: {', '.join(beyond)}{whose}")
        return layers

    @field_validator("epochs")
    @classmethod
    def _of_snapshots(cls, epochs: tuple[int, ...] | None, info: ValidationInfo) -> tuple[int, ...] | None:
        return axes.checked("epochs", epochs, _vectors(info), info)

    @field_validator("ranks")
    @classmethod
    def _of_subspaces(cls, ranks: tuple[int, ...] | None, info: ValidationInfo) -> tuple[int, ...] | None:
        vectors = _vectors(info)
        axes.checked("rank", ranks, vectors, info)
        bounds = axes.bounds_of_rank(vectors, _models(info), info)
        if ranks and bounds and max(ranks) > min(bounds.values()):
            least = min(bounds, key=lambda name: bounds[name])
            raise ValueError(f"expected ranks of at most {bounds[least]}, the {least}: there are no more dimensions")
        return ranks

    @field_validator("doses")
    @classmethod
    def _in_their_unit(cls, doses: tuple[float, ...] | None, info: ValidationInfo) -> tuple[float, ...] | None:
        unit, of_base = info.data.get("unit"), _steered(info).get("unit")
        if doses is None and unit and unit != of_base and of_base in get_args(VectorUnit):
            raise ValueError(f"expected doses in {unit}: those of the base point are in {of_base}")
        _suit(doses, unit or of_base)
        return doses

    @field_validator("beneath")
    @classmethod
    def _costs_are_of_the_model_itself(cls, beneath: Beneath | None, info: ValidationInfo) -> Beneath | None:
        if beneath and (info.data.get("unit") or _steered(info).get("unit")) == "kl":
            raise ValueError("expected another unit than kl: what a push costs is measured on the model with nothing beneath")
        return beneath

    @field_validator(*COUNTERPARTS)
    @classmethod
    def _of_planned_vectors(cls, counterpart: Counterpart | None, info: ValidationInfo) -> Counterpart | None:
        if counterpart is None or "seeds" not in info.data:
            return counterpart
        _suit(counterpart.doses, info.data.get("unit") or _steered(info).get("unit"))
        check_vectors(str(info.field_name), _vectors(info), info)
        seeds = info.data["seeds"] or (rest_of_the_file(info, "base_point").get("seed"),)
        strangers = [seed for seed in counterpart.seeds if seed not in seeds]
        if strangers:
            message = f"expected seeds of the sweep ({_listed(seeds)}), whose vectors they stand for; others: {_listed(strangers)}"
            raise mistakes_at([("seeds", message, list(counterpart.seeds))])
        return counterpart


class FinetunedSweep(_Sweep):
    """Finetuned settings: every combination of the axes. Adapters are trained as needed."""

    arm: Literal["finetuned"]
    adapters: Annotated[tuple[Annotated[str, known("adapters")], ...], Field(min_length=1), Distinct] | None = Field(
        None, description=FROM_BASE, validate_default=True
    )
    steps: Counts | None = Field(None, description=FROM_BASE, validate_default=True)
    doses: Doses | None = Field(None, description=FROM_BASE, validate_default=True)

    @field_validator("adapters", "steps", "doses")
    @classmethod
    def _from_somewhere(cls, values: tuple[Any, ...] | None, info: ValidationInfo) -> tuple[Any, ...] | None:
        base = rest_of_the_file(info, "base_point")
        if values is None and "finetuned" in base and base["finetuned"] is None:
            raise ValueError(f"expected {info.field_name}: `base_point.finetuned` is null, so there are none to take")
        return values


Sweep = Annotated[SteeredSweep | FinetunedSweep, Field(discriminator="arm")]


def _steered(info: ValidationInfo) -> dict[str, Any]:
    steered = rest_of_the_file(info, "base_point").get("steered")
    return steered if isinstance(steered, dict) else {}


def _base_model(info: ValidationInfo) -> str | None:
    model = rest_of_the_file(info, "base_point").get("model")
    return model if isinstance(model, str) else None


def _models(info: ValidationInfo) -> tuple[object, ...]:
    """Of the sweep; none where that list has a mistake of its own."""
    return (info.data["models"] or (_base_model(info),)) if "models" in info.data else ()


def _vectors(info: ValidationInfo) -> tuple[str, ...]:
    """Of the sweep; none where that list has a mistake of its own."""
    if "vectors" not in info.data:
        return ()
    return tuple(str(name) for name in info.data["vectors"] or (_steered(info).get("vector"),))


def _suit(doses: tuple[float, ...] | None, unit: object) -> None:
    """Doses in KL are what a push costs: none is free, and there is no negative one. What is ablated is a share."""
    if unit == "kl" and doses and not LEAST_KL <= min(doses) <= max(doses) <= LARGEST_KL:
        raise ValueError(f"expected doses in kl between {LEAST_KL} and {LARGEST_KL:g} [nats per token]")
    if unit in ABLATED and doses and not 0 <= min(doses) <= max(doses) <= 1:
        raise ValueError("expected doses between 0 and 1: the share of a direction that is ablated")


def _unsafe(name: str, sides: str, info: ValidationInfo) -> str:
    """The base point's own: controls stand beside it."""
    if rest_of_the_file(info, sides).get(name) == "safe":
        raise ValueError(
            "expected one of the side `unsafe`: what is trained on safe answers is a control, which only a sweep can give"
        )
    return name


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def mistakes_at(found: Iterable[tuple[str | tuple[str | int, ...], str, object]]) -> ValidationError:
    """Mistakes inside the value that is being checked: (key or keys, what was expected, what was found)."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("value_error", "{message}", {"message": message}),
            loc=key if isinstance(key, tuple) else (key,),
            input=value,
        )
        for key, message, value in found
    ]
    return ValidationError.from_exception_data("sweep", details)
