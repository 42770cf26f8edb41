"""The types that sections of a study file are made of."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from emsteer.mistakes import meant
from emsteer.recipes import Dose, Seed

NAME = r"^[A-Za-z0-9]+([_-][A-Za-z0-9]+)*$"  # `--` divides slug and digits of an address


class Section(BaseModel):
    """Part of the study file: immutable, closed, and without infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


def rest_of_the_file(info: ValidationInfo, section: str) -> dict[Any, Any]:
    """What another section says, as `file.parse` read it: leniently, since its own mistakes are reported there."""
    return (info.context or {}).get(section, {})


def known(section: str) -> AfterValidator:
    """Accepts the names that a section of the file defines."""

    def check(name: str, info: ValidationInfo) -> str:
        names = rest_of_the_file(info, section)
        if not names:
            raise ValueError(f"expected a name that `{section}` defines; it defines none")
        if name not in names:
            raise ValueError(f"expected one of {sorted(map(str, names))} (defined under `{section}`){meant(name, names)}")
        return name

    return AfterValidator(check)


def card_file(path: str) -> Path:
    """Where the card of an input file lies (`emsteer.study.cards`)."""
    return Path(f"{path}.card.yaml")


def _here(path: str) -> str:
    if not any(there.is_file() for there in (Path(path), Path(f"{path}.dvc"), card_file(path))):
        raise ValueError("expected a file, its .dvc pointer or card (docs/data.md); there is none")
    return path


def _distinct(values: tuple) -> tuple:
    if len(set(values)) != len(values):
        raise ValueError("expected distinct values")
    return values


Distinct = AfterValidator(_distinct)
Name = Annotated[str, Field(pattern=NAME, max_length=40)]
InputFile = Annotated[str, AfterValidator(_here)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), Distinct]
Doses = Annotated[tuple[Dose, ...], Field(min_length=1), Distinct]
