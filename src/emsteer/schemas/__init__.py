"""The shape of every table that crosses a rule: pandera models, strict, with a declared key, checked on write and on read."""

from emsteer.schemas.checks import check, frame_of, read, read_all, read_parts, write
from emsteer.schemas.data import Answers, Margins, Pairs, Questions, Scores, Table, Witnessed
from emsteer.schemas.results import SETTING, Agreement, Chosen, Claims, Contrasts, Counts, Evidence, Judged, Rates, Settings

__all__ = [
    "SETTING",
    "Agreement",
    "Answers",
    "Chosen",
    "Claims",
    "Contrasts",
    "Counts",
    "Evidence",
    "Judged",
    "Margins",
    "Pairs",
    "Questions",
    "Rates",
    "Scores",
    "Settings",
    "Table",
    "Witnessed",
    "check",
    "frame_of",
    "read",
    "read_all",
    "read_parts",
    "write",
]
