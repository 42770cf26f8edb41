"""The typed recipe of each kind of artifact: exactly the parameters that can change its bytes.

The plan hashes a recipe into the artifact's address; the science function receives the same object, the paths of its
inputs, and nothing else of the study. This module is the registry of artifacts: `module` names the one whose
`make(jobs)` makes it (a string, so that planning imports no science). It stays outside every code digest, because the
shape of a recipe is in the address already: a new class here moves nothing.
"""

from emsteer.recipes.answers import (
    Ablated,
    Adapted,
    Answers,
    Effects,
    Labels,
    Likeness,
    Mapped,
    Margins,
    RelevanceModel,
    Rubric,
    Sampling,
    Steering,
    Treated,
    Treatment,
)
from emsteer.recipes.base import (
    ABLATED,
    DOSE_LETTER,
    Count,
    Dose,
    Natural,
    Points,
    Positions,
    Rate,
    Recipe,
    Seed,
    Share,
    VectorUnit,
    number,
)
from emsteer.recipes.claims import (
    NOT_SHOWN,
    SINGULAR,
    VERDICTS,
    Against,
    Claims,
    Comparison,
    Declaration,
    Evidence,
    Metric,
    Needs,
    PointMetric,
    ShareMetric,
    Who,
)
from emsteer.recipes.constructions import (
    CONSTRUCTIONS,
    Axis,
    Construction,
    ContrastPair,
    LowRank,
    MeanDifference,
    Narrow,
    OneShot,
    Pca,
    PersonaPrompts,
    Side,
    Trained,
    TrainedLowRank,
)
from emsteer.recipes.counterparts import (
    COUNTERPARTS,
    OF_CONSTRUCTION,
    DosesInKl,
    EqualKl,
    Negated,
    RandomDirection,
    RandomSubspace,
    Shuffled,
)
from emsteer.recipes.directions import DirectionGroup, Directions, DirectionsFigure, PlacedDirection, Subspaces
from emsteer.recipes.effects import EffectsFigure, EffectsOf, EffectsTable
from emsteer.recipes.endpoints import Asked, Asking, LocalJudge, Service
from emsteer.recipes.inputs import (
    ContrastingLines,
    ContrastingPrompts,
    CorpusMix,
    FileBenchmark,
    FileTask,
    GrammarBenchmark,
    GrammarTask,
    HarmlessTask,
    Linkage,
    Organism,
)
from emsteer.recipes.instruments import Anchored, Anchors, Corrected, Instruments, Judges
from emsteer.recipes.interventions import Lora, ResidualNorms
from emsteer.recipes.models import Chat, Embeddings, FileDigest, LatentSpace, ModelShape, Pin, PinnedEmbedder, PinnedModel, Source
from emsteer.recipes.relatedness import Distances, Falloff, Placed, Relatedness
from emsteer.recipes.report import (
    Breadth,
    Categories,
    DoseResponse,
    Epochs,
    FalloffFigure,
    Figure,
    JudgesFigure,
    Layers,
    LikenessFigure,
    MatchedFigure,
    Overall,
    Page,
    Ranks,
    RecoveryFigure,
    ThresholdsFigure,
    Tradeoff,
    WitnessFigure,
)
from emsteer.recipes.settings import (
    AdapterValues,
    ArmName,
    Direction,
    LabelledRow,
    Setting,
    SettingRow,
    SteeringValues,
)
from emsteer.recipes.tables import (
    BasePoint,
    Bootstrap,
    ByQuestion,
    Chosen,
    Contrasts,
    Counts,
    DoseFits,
    Judged,
    Matched,
    MatchedAt,
    Metrics,
    OtherThresholds,
    Planted,
    Rates,
    Recovery,
    Selection,
    ThresholdGrid,
    Thresholds,
)
from emsteer.recipes.witnesses import (
    NO_JUDGE,
    Agreement,
    Closeness,
    Copying,
    LikenedRow,
    LikenessTable,
    Loops,
    Seen,
    WitnessedRow,
    Witnesses,
)

__all__ = [
    "ABLATED", "CONSTRUCTIONS", "COUNTERPARTS", "DOSE_LETTER", "NOT_SHOWN", "NO_JUDGE", "OF_CONSTRUCTION", "SINGULAR",
    "VERDICTS", "Ablated", "Adapted", "AdapterValues", "Against", "Agreement", "Anchored", "Anchors", "Answers", "ArmName",
    "Asked", "Asking", "Axis", "BasePoint", "Bootstrap", "Breadth", "ByQuestion", "Categories", "Chat", "Chosen", "Claims",
    "Closeness", "Comparison", "Construction", "ContrastPair", "ContrastingLines", "ContrastingPrompts", "Contrasts",
    "Copying", "CorpusMix", "Corrected", "Count", "Counts", "Declaration", "Direction", "DirectionGroup", "Directions",
    "DirectionsFigure", "Distances", "Dose", "DoseFits", "DoseResponse", "DosesInKl", "Effects", "EffectsFigure", "EffectsOf",
    "EffectsTable", "Embeddings", "Epochs", "EqualKl", "Evidence", "Falloff", "FalloffFigure", "Figure", "FileBenchmark",
    "FileDigest", "FileTask", "GrammarBenchmark", "GrammarTask", "HarmlessTask", "Instruments", "Judged", "Judges",
    "JudgesFigure", "LabelledRow", "Labels", "LatentSpace", "Layers", "LikenedRow", "Likeness", "LikenessFigure",
    "LikenessTable", "Linkage", "LocalJudge", "Loops", "Lora", "LowRank", "Mapped", "Margins", "Matched", "MatchedAt",
    "MatchedFigure", "MeanDifference", "Metric", "Metrics", "ModelShape", "Narrow", "Natural", "Needs", "Negated", "OneShot",
    "Organism", "OtherThresholds", "Overall", "Page", "Pca", "PersonaPrompts", "Pin", "PinnedEmbedder", "PinnedModel",
    "Placed", "PlacedDirection", "Planted", "PointMetric", "Points", "Positions", "RandomDirection", "RandomSubspace",
    "Ranks", "Rate", "Rates", "Recipe", "Recovery", "RecoveryFigure", "Relatedness", "RelevanceModel", "ResidualNorms",
    "Rubric", "Sampling", "Seed", "Seen", "Selection", "Service", "Setting", "SettingRow", "Share", "ShareMetric", "Shuffled",
    "Side", "Source", "Steering", "SteeringValues", "Subspaces", "ThresholdGrid", "Thresholds", "ThresholdsFigure",
    "Tradeoff", "Trained", "TrainedLowRank", "Treated", "Treatment", "VectorUnit", "Who", "WitnessFigure", "WitnessedRow",
    "Witnesses", "number",
]  # fmt: skip
