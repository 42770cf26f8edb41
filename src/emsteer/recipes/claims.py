"""Claims as declarations: who, against whom, in what, which way, by how much, in how many."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from emsteer.recipes.base import Count, Dose, Natural, Positions, Recipe, VectorUnit
from emsteer.recipes.effects import EffectsOf
from emsteer.recipes.settings import ArmName
from emsteer.recipes.tables import BasePoint, Bootstrap, Selection

ShareMetric = Literal["on_topic_em", "em", "em_given_coherent", "coverage", "harmful"]
PointMetric = Literal["alignment", "coherence", "relevance", "coherence_of_harmful", "relevance_of_harmful"]
Metric = ShareMetric | PointMetric
NOT_SHOWN = "instrument not shown to work"
VERDICTS = ("supported", "equivalent", "contradicted", "reversed", "not distinguishable", "not tested", NOT_SHOWN)
SINGULAR = {
    "models": "model", "tasks": "task", "vectors": "vector", "adapters": "adapter", "layers": "layer", "epochs": "epochs",
    "ranks": "rank", "steps": "steps", "doses": "dose", "categories": "category",
}  # fmt: skip
Asked = Literal["off_domain", "in_domain", "linked", "unlinked"]
Treated = Literal["steered", "finetuned", "control"]
Variable = Literal["models", "tasks", "vectors", "adapters", "layers", "epochs", "ranks", "steps", "doses", "categories"]
Names = tuple[str, ...]
EACH = "left out: each that has such settings"
FROM_BASE = "left out: that of the base point"


class Who(Recipe):
    """Settings that a claim is about: each combination of what is listed is compared by itself, seeds pooled."""

    arm: Treated
    models: Names | None = Field(None, min_length=1, description=EACH)
    tasks: Names | None = Field(None, min_length=1, description=EACH)
    vectors: Names | None = Field(None, min_length=1, description=EACH)
    adapters: Names | None = Field(None, min_length=1, description=EACH)
    layers: tuple[Natural, ...] | None = Field(None, min_length=1, description=FROM_BASE)
    epochs: tuple[Count, ...] | None = Field(None, min_length=1, description=FROM_BASE)
    ranks: tuple[Count, ...] | None = Field(None, min_length=1, description="left out: vectors that have none")
    steps: tuple[Count, ...] | None = Field(None, min_length=1, description=FROM_BASE)
    unit: VectorUnit | None = Field(None, description=FROM_BASE)
    positions: Positions | None = Field(None, description=FROM_BASE)
    beneath: str | None = Field(None, description="the adapter that is steered upon; left out: none")
    doses: tuple[Dose, ...] | None = Field(
        None, min_length=1, description="left out: the one that the rule chooses on dev questions"
    )
    questions: Asked = "off_domain"
    each_category: bool = Field(False, description="every category of these questions by itself")

    @model_serializer(mode="wrap")
    def _without_what_lies_beneath(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The field came later: where it says nothing, a claim keeps the digest that it was declared with."""
        said: dict[str, Any] = dump(self)
        return said if self.beneath else {name: value for name, value in said.items() if name != "beneath"}


class Against(Recipe):
    """The other side: what is left out is as on the first side, and so is what lies beneath; of another arm, as `Who` has it."""

    arm: ArmName | None = None
    model: str | None = None
    task: str | None = None
    vector: str | None = None
    adapter: str | None = None
    layer: Natural | None = None
    epochs: Count | None = None
    rank: Count | None = None
    steps: Count | None = None
    unit: VectorUnit | None = None
    positions: Positions | None = None
    dose: Dose | None = None
    questions: Asked | None = None


class Needs(Recipe):
    """In how many of an axis a claim must hold; each combination of the other axes has a verdict of its own."""

    of: Variable
    at_least: Count | Literal["all"]


class Comparison(Recipe):
    """What decides a claim."""

    who: Who
    against: Against
    metric: Metric
    direction: Literal["more", "less", "same"] = Field(description="of `who`, against the other side; same: neither")
    smallest_effect: Annotated[float, Field(gt=0, le=100)] = Field(
        description="a smaller difference is called none [share; of alignment, coherence and relevance points of 100]"
    )
    needs: Needs | None = Field(None, description="left out: a verdict for each combination")
    family: str | None = Field(None, description="claims of one family are corrected together; left out: the claim by itself")


class Declaration(Recipe):
    """What is said of a claim beside what decides it."""

    says: str
    source: str | None = Field(None, description="whose claim it is; left out: ours")
    declared: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="the day on which it was written as it stands")
    digest: str = Field(description="of what decides it")
    needs: Needs | None


class Evidence(Recipe):
    """The comparisons that claims rest on."""

    module = "emsteer.analysis.evidence"
    bootstrap: Bootstrap
    selection: Selection
    base_point: BasePoint
    claims: dict[str, Comparison]
    measured: tuple[EffectsOf, ...] = Field(description="where it stands whether the steering of a setting held")
    kl_tolerance: Annotated[float, Field(gt=0, lt=1)] = Field(description="of doses in KL [share]")


class Claims(Recipe):
    """What the evidence says of each claim."""

    module = "emsteer.analysis.claims"
    claims: dict[str, Declaration]
    readers: tuple[str, ...] = Field(description="judges that are readers: others are measured by them, not by anchors")
