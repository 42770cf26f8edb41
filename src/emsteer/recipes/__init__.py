"""The typed recipe of each kind of artifact: exactly the parameters that can change its bytes.

The plan hashes a recipe into the artifact's address; the science function receives the same object, the paths of its
inputs, and nothing else of the study. This module is the registry of artifacts: `module` names the one whose
`make(jobs)` makes it (a string, so that planning imports no science). It stays outside every code digest, because the
shape of a recipe is in the address already: a new class here moves nothing.
"""

from emsteer.recipes.answers import Adapted, Answers, Margins, RelevanceModel, Rubric, Sampling, Steering, Treated, Treatment
from emsteer.recipes.base import Count, Dose, DoseUnit, Natural, Points, Positions, Rate, Recipe, Seed, Share, Weight, number
from emsteer.recipes.inputs import CorpusMix, FileBenchmark, FileTask, GrammarBenchmark, GrammarTask, Linkage, Organism
from emsteer.recipes.interventions import Construction, Lora, LowRank, MeanDifference, RandomDirection, ResidualNorms, Trained
from emsteer.recipes.models import Chat, FileDigest, ModelShape, Pin, PinnedModel, Source
from emsteer.recipes.report import Breadth, Categories, DoseResponse, Epochs, Figure, Layers, Page, Ranks
from emsteer.recipes.settings import AdapterValues, Direction, Setting, SettingRow, SteeringValues, TreatmentValues
from emsteer.recipes.tables import (
    BasePoint,
    Bootstrap,
    Chosen,
    Claims,
    Contrasts,
    Counts,
    Evidence,
    Metrics,
    Planted,
    Rates,
    Selection,
    Thresholds,
)

__all__ = [
    "Adapted",
    "AdapterValues",
    "Answers",
    "BasePoint",
    "Bootstrap",
    "Breadth",
    "Categories",
    "Chat",
    "Chosen",
    "Claims",
    "Construction",
    "Contrasts",
    "CorpusMix",
    "Count",
    "Counts",
    "Direction",
    "Dose",
    "DoseResponse",
    "DoseUnit",
    "Epochs",
    "Evidence",
    "Figure",
    "FileBenchmark",
    "FileDigest",
    "FileTask",
    "GrammarBenchmark",
    "GrammarTask",
    "Layers",
    "Linkage",
    "Lora",
    "LowRank",
    "Margins",
    "MeanDifference",
    "Metrics",
    "ModelShape",
    "Natural",
    "Organism",
    "Page",
    "Pin",
    "PinnedModel",
    "Planted",
    "Points",
    "Positions",
    "RandomDirection",
    "Ranks",
    "Rate",
    "Rates",
    "Recipe",
    "RelevanceModel",
    "ResidualNorms",
    "Rubric",
    "Sampling",
    "Seed",
    "Selection",
    "Setting",
    "SettingRow",
    "Share",
    "Source",
    "Steering",
    "SteeringValues",
    "Thresholds",
    "Trained",
    "Treated",
    "Treatment",
    "TreatmentValues",
    "Weight",
    "number",
]
