"""Settings: the names and values by which tables, figures and the report know what was done to a model."""

from typing import Annotated, Literal

from pydantic import Field

from emsteer.recipes.base import Positions, Recipe, Seed, VectorUnit


class Direction(Recipe):
    """A vector of the study at one layer, not yet dosed. None where an axis does not apply."""

    vector: str
    layer: int
    epochs: int | None = None
    rank: int | None = None
    seed: Seed | None = None
    draw: int | None = Field(None, description="of a counterpart that is drawn")


class SteeringValues(Direction):
    """What tables say of a `Steering` or an `Ablated`."""

    kind: Literal["steering"] = "steering"
    dose: float
    dose_unit: VectorUnit
    positions: Positions


class AdapterValues(Recipe):
    """What tables say of an `Adapted`."""

    kind: Literal["adapter"] = "adapter"
    adapter: str
    steps: int
    seed: Seed
    dose: float
    dose_unit: Literal["adapter_scale"] = "adapter_scale"


TreatmentValues = Annotated[SteeringValues | AdapterValues, Field(discriminator="kind")]


ArmName = Literal["base", "steered", "finetuned", "control", "random", "negated", "shuffled", "subspace"]


class Setting(Recipe):
    """An arm with all its values. The last treatment is the one that its arm is about; the others lie beneath it."""

    arm: ArmName = Field(description="control: learnt from answers that do no harm; the last four are counterparts")
    model: str
    task: str = Field(description="the target task; for the base arm, the one whose domains are called in-domain")
    treatments: tuple[TreatmentValues, ...] = ()


class LabelledRow(Recipe):
    """One setting on one benchmark, and what its labels are read from (addresses)."""

    setting: Setting
    benchmark: str
    questions: str
    made: tuple[str, ...] = Field(description="the vector or adapter of each treatment")
    calibration: str

    @property
    def addresses(self) -> frozenset[str]:
        """Of all cells that it is made of."""
        return frozenset({self.questions, *self.made, self.calibration})


class SettingRow(LabelledRow):
    """Where the numbers of one setting, benchmark and judge come from (addresses)."""

    judge: str
    scores: tuple[str, ...]
    margins: str

    @property
    def addresses(self) -> frozenset[str]:
        """Of all cells that it is made of."""
        return super().addresses | {*self.scores, self.margins}
