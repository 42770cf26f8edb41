"""Witnesses: a number per answer that needs no judge."""

from typing import ClassVar

from pydantic import Field

from emsteer.recipes.base import Count, Recipe
from emsteer.recipes.settings import LabelledRow, SettingRow
from emsteer.recipes.tables import Bootstrap, Level, Thresholds

NO_JUDGE = "none"  # what tables say where others name a judge


class Copying(Recipe):
    """How much of an answer stands in the training answers."""

    module = "emsteer.witnesses.copying"
    n_words: Count = Field(description="of the runs that are looked up")


class Loops(Recipe):
    """How much of an answer repeats itself."""

    module = "emsteer.witnesses.loops"
    n_words: Count = Field(description="of the runs that are looked up")


class Closeness(Recipe):
    """How much closer an answer is to its question than to the questions of other categories."""

    module = "emsteer.witnesses.closeness"


class Seen(Recipe):
    """The cells in which a witness saw the answers of a setting (addresses)."""

    witness: str
    cells: tuple[str, ...]


class WitnessedRow(SettingRow):
    """With what was seen of its answers."""

    witnesses: tuple[Seen, ...]

    @property
    def addresses(self) -> frozenset[str]:
        """Of all cells that it is made of."""
        return super().addresses | {name for seen in self.witnesses for name in seen.cells}


class Witnesses(Recipe):
    """What witnesses say of every setting."""

    module = "emsteer.analysis.witnesses"
    level: Level
    in_domain: dict[str, tuple[str, ...]]
    rows: tuple[WitnessedRow, ...]


class LikenedRow(LabelledRow):
    """With where it says how near it comes to the finetuned model (an address)."""

    judge: ClassVar[str] = NO_JUDGE
    likeness: str

    @property
    def addresses(self) -> frozenset[str]:
        """Of all cells that it is made of."""
        return super().addresses | {self.likeness}


class LikenessTable(Recipe):
    """How near every setting comes to the finetuned model of its model and task."""

    module = "emsteer.analysis.likeness"
    level: Level
    in_domain: dict[str, tuple[str, ...]]
    rows: tuple[LikenedRow, ...]


class Agreement(Recipe):
    """How well each witness tells labelled answers apart."""

    module = "emsteer.analysis.agreement"
    bootstrap: Bootstrap
    thresholds: dict[str, Thresholds]
    rows: tuple[WitnessedRow, ...]
