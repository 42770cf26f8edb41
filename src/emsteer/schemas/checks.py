"""Checking, reading and writing tables."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from emsteer import storage
from emsteer.errors import DataError, listing
from emsteer.schemas.data import Table

N_ROWS_SHOWN = 5
SIGNIFICANT = 9  # digits
Model = TypeVar("Model", bound=type[Table])


def frame_of(rows: list[dict[str, object]] | pd.DataFrame, model: Model) -> pd.DataFrame:
    """Rows as a table with the columns and types of the schema, also where there is no row, or no value in a column."""
    columns = model.to_schema().columns
    types = {name: "str" if column.dtype.type == "str" else column.dtype.type for name, column in columns.items()}
    return pd.DataFrame(rows, columns=list(columns)).astype(types)


def check(frame: pd.DataFrame, model: Model, where: str) -> pd.DataFrame:
    """The frame, if it fits.

    Raises:
        DataError: Every violated rule, with the first failing rows of each.
    """
    return _checked(frame, model.to_schema(), model.__name__, where)


def _checked(frame: pd.DataFrame, schema: pa.DataFrameSchema, name: str, where: str) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)  # pandera 0.35 fails on a duplicate key under a duplicate index
    try:
        return schema.validate(frame, lazy=True)
    except SchemaErrors as error:
        lines = _violations(error.failure_cases, frame)
        raise DataError(f"{where}: does not hold {name}.\n{listing(lines)}\n  {storage.REPAIR}") from None


def read_all(paths: Mapping[str, Path], model: Model) -> pd.DataFrame:
    """Many tables of one schema as one, checked once; the column `cell` says which key of `paths` a row came from."""
    frames = [storage.read_parquet(path).assign(cell=name) for name, path in paths.items()]
    schema = model.to_schema().add_columns({"cell": pa.Column(str)})
    of_one = [name for name, column in schema.columns.items() if column.unique]
    for name in of_one:
        schema.columns[name].unique = False
    schema.unique = ["cell", *of_one, *(schema.unique or [])]
    return _checked(pd.concat(frames, ignore_index=True), schema, model.__name__, f"{len(paths)} tables")


def _violations(cases: pd.DataFrame, frame: pd.DataFrame) -> list[str]:
    """One line per violated rule, with its first failing rows; a rule over whole rows shows the rows."""
    lines = []
    for rule, group in cases.groupby("check", dropna=False, sort=False):
        rows = [int(row) for row in group["index"].dropna().unique()]
        more = f" and {len(rows) - N_ROWS_SHOWN} more" if len(rows) > N_ROWS_SHOWN else ""
        of_rows = group["schema_context"].eq("DataFrameSchema").all()
        if not rows:
            got = ", ".join(map(repr, group["failure_case"]))
        elif of_rows:
            shown = list(group["column"].unique()) if str(rule).startswith("multiple_fields") else list(frame.columns)
            got = "; ".join(f"row {row}: {frame.loc[row, shown].to_dict()}" for row in rows[:N_ROWS_SHOWN])
        else:
            got = "; ".join(f"{case.column} in row {case.row}: {case.failure_case!r}" for case in _records(group)[:N_ROWS_SHOWN])
        lines.append(f"expected {rule}; got {got}{more}")
    return lines


def _records(cases: pd.DataFrame) -> list[Any]:
    return list(cases[["column", "index", "failure_case"]].rename(columns={"index": "row"}).itertuples(index=False))


def write(frame: pd.DataFrame, model: Model, path: Path, passport: storage.Passport) -> None:
    """Checks and writes a table, its numbers rounded to `SIGNIFICANT` digits."""
    storage.write_parquet(rounded(check(frame, model, passport["address"])), path, passport)


def rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Linear algebra of numpy and scipy ends in other last digits on other processors; no table of ours needs them."""
    floats = frame.select_dtypes("floating")
    return frame.assign(**{str(name): floats[name].map(_rounded).astype(floats[name].dtype) for name in floats})


def _rounded(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT}g}")


def read(path: Path, model: Model) -> pd.DataFrame:
    """Reads and checks a table, given its file or the folder that holds it."""
    path = _file_of(path)
    return check(storage.read_parquet(path), model, str(path))


def read_parts(path: Path, model: Model) -> Iterator[pd.DataFrame]:
    """As `read`, one row group at a time: a table that may be larger than memory."""
    path = _file_of(path)
    yield from (check(part, model, str(path)) for part in storage.read_parquet_parts(path))


def read_columns(path: Path, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Some columns of a table, one row group at a time; they are not checked."""
    return storage.read_parquet_parts(_file_of(path), columns)


def _file_of(path: Path) -> Path:
    if not path.is_dir():
        return path
    tables = list(path.glob("*.parquet"))
    if len(tables) != 1:
        raise DataError(f"{path}: expected one parquet file, got {len(tables)}.\n  {storage.REPAIR}")
    return tables[0]
