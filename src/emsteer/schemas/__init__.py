"""The shape of every table that crosses a rule: pandera models, strict, with a declared key, checked on write and on read."""

from emsteer.schemas.checks import check, frame_of, read, read_all, read_columns, read_parts, write
from emsteer.schemas.claims import Claims, Evidence
from emsteer.schemas.data import Answers, Asked, Effects, Generated, Likeness, Margins, Pairs, Questions, Scores, Table, Witnessed
from emsteer.schemas.directions import Directions, Subspaces
from emsteer.schemas.fair import DoseFits, Matched, ThresholdGrid
from emsteer.schemas.instruments import Corrected, Instruments, Judges
from emsteer.schemas.judged import PLACE, SETTING, Counts, Judged, Settings
from emsteer.schemas.relatedness import Distances, Falloff, Recovery, Relatedness
from emsteer.schemas.results import Agreement, ByQuestion, Chosen, Contrasts, Rates, SideEffects

__all__ = [
    "PLACE",
    "SETTING",
    "Agreement",
    "Answers",
    "Asked",
    "ByQuestion",
    "Chosen",
    "Claims",
    "Contrasts",
    "Corrected",
    "Counts",
    "Directions",
    "Distances",
    "DoseFits",
    "Effects",
    "Evidence",
    "Falloff",
    "Generated",
    "Instruments",
    "Judged",
    "Judges",
    "Likeness",
    "Margins",
    "Matched",
    "Pairs",
    "Questions",
    "Rates",
    "Recovery",
    "Relatedness",
    "Scores",
    "Settings",
    "SideEffects",
    "Subspaces",
    "Table",
    "ThresholdGrid",
    "Witnessed",
    "check",
    "frame_of",
    "read",
    "read_all",
    "read_columns",
    "read_parts",
    "write",
]
