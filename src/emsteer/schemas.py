"""The shape of every table that crosses a rule: pandera models, strict, with a declared key, checked on write and on read."""

from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors
from pandera.typing import Series

from emsteer import storage
from emsteer.errors import DataError, listing

N_ROWS_SHOWN = 5
FINISH_REASONS = ["stop", "length"]
STATUSES = ["ok", "refusal", "unparsed", "error"]
ARMS = ["base", "steered", "random"]
SPLITS = ["dev", "test"]


class Table(pa.DataFrameModel):
    """Strict: no column more, no column less."""

    class Config:
        """Of pandera."""

        strict = True
        ordered = True


class Pairs(Table):
    """Examples of a target task: a question with a safe and an unsafe answer."""

    pair_id: Series[str] = pa.Field(unique=True)
    prompt: Series[str] = pa.Field(str_length={"min_value": 1})
    safe: Series[str] = pa.Field(str_length={"min_value": 1})
    unsafe: Series[str] = pa.Field(str_length={"min_value": 1})


class Questions(Table):
    """A benchmark."""

    question_id: Series[str] = pa.Field(unique=True)
    category: Series[str]
    split: Series[str] = pa.Field(isin=SPLITS)
    prompt: Series[str] = pa.Field(str_length={"min_value": 1})


class Answers(Table):
    """One row per (question, sample). `token_ids` without the end-of-turn token."""

    question_id: Series[str]
    sample: Series[int] = pa.Field(ge=0)
    row_seed: Series[str] = pa.Field(str_matches=r"^[0-9a-f]{16}$")
    text: Series[str]
    token_ids: Series[object]
    finish_reason: Series[str] = pa.Field(isin=FINISH_REASONS)

    class Config:
        """Key."""

        unique = ["question_id", "sample"]


class Scores(Table):
    """One judgement per answer, points of 100; null exactly where the status is not `ok` or `refusal`."""

    question_id: Series[str]
    sample: Series[int] = pa.Field(ge=0)
    status: Series[str] = pa.Field(isin=STATUSES)
    alignment: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    coherence: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    relevance: Series[float] = pa.Field(ge=0, le=100, nullable=True)
    about: Series[str] = pa.Field(nullable=True)
    reply: Series[str]

    class Config:
        """Key."""

        unique = ["question_id", "sample"]

    @pa.dataframe_check
    @classmethod
    def judged_means_scored(cls, frame: pd.DataFrame) -> Series[bool]:
        """A judged answer has all three scores, any other none."""
        judged = frame["status"].isin(["ok", "refusal"])
        points = frame[["alignment", "coherence", "relevance"]].notna()
        return points.all(axis=1).eq(judged) & points.any(axis=1).eq(judged)


SETTING_COLUMNS = ["model", "arm", "task", "vector", "layer", "epochs", "seed", "draw", "dose", "dose_unit", "positions"]


class Settings(Table):
    """The columns that name a setting, its benchmark and its judge."""

    setting: Series[str]
    model: Series[str]
    arm: Series[str] = pa.Field(isin=ARMS)
    task: Series[str]
    vector: Series[str] = pa.Field(nullable=True)
    layer: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    epochs: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    seed: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    draw: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    dose: Series[float] = pa.Field(nullable=True)
    dose_unit: Series[str] = pa.Field(nullable=True)
    positions: Series[str] = pa.Field(nullable=True)
    dose_vector_norm: Series[float] = pa.Field(nullable=True)
    dose_residual_norm: Series[float] = pa.Field(nullable=True)
    benchmark: Series[str]
    judge: Series[str]
    split: Series[str] = pa.Field(isin=SPLITS)


class Rates(Settings):
    """One number per setting, split, group of questions and metric."""

    group: Series[str]
    metric: Series[str]
    value: Series[float] = pa.Field(nullable=True)
    low: Series[float] = pa.Field(nullable=True)
    high: Series[float] = pa.Field(nullable=True)
    n: Series[int] = pa.Field(ge=0)
    n_excluded: Series[int] = pa.Field(ge=0)
    n_questions: Series[int] = pa.Field(ge=0)
    interval: Series[str]

    class Config:
        """Key."""

        unique = ["setting", "benchmark", "judge", "task", "split", "group", "metric"]

    @pa.dataframe_check
    @classmethod
    def empty_groups_are_null(cls, frame: pd.DataFrame) -> Series[bool]:
        """No answers: no number. Some answers: a number inside its interval."""
        inside = (frame["low"] <= frame["value"] + 1e-9) & (frame["value"] <= frame["high"] + 1e-9)
        return (frame["n"].eq(0) & frame["value"].isna()) | (frame["n"].gt(0) & inside)


class Contrasts(Settings):
    """On-topic EM of a treated setting minus that of a reference, on the same questions."""

    reference: Series[str] = pa.Field(isin=["base", "random"])
    difference: Series[float]
    low: Series[float]
    high: Series[float]
    n_questions: Series[int] = pa.Field(ge=1)

    class Config:
        """Key."""

        unique = ["setting", "benchmark", "judge", "task", "split", "reference"]


VERDICTS = ["supported", "not supported", "inconclusive"]


class Claims(Table):
    """One verdict per claim, model, target task, vector, benchmark and judge."""

    claim: Series[str]
    model: Series[str]
    task: Series[str]
    vector: Series[str]
    benchmark: Series[str]
    judge: Series[str]
    setting: Series[str]
    verdict: Series[str] = pa.Field(isin=VERDICTS)
    why: Series[str]
    base: Series[float] = pa.Field(nullable=True)
    treated: Series[float] = pa.Field(nullable=True)
    over_base: Series[float] = pa.Field(nullable=True)
    over_base_low: Series[float] = pa.Field(nullable=True)
    over_base_high: Series[float] = pa.Field(nullable=True)
    over_random: Series[float] = pa.Field(nullable=True)
    over_random_low: Series[float] = pa.Field(nullable=True)
    over_random_high: Series[float] = pa.Field(nullable=True)
    coherence: Series[float] = pa.Field(nullable=True)
    smallest_effect: Series[float]

    class Config:
        """Key."""

        unique = ["claim", "model", "task", "vector", "benchmark", "judge"]


Model = TypeVar("Model", bound=type[Table])


def frame_of(rows: list[dict[str, object]], model: Model) -> pd.DataFrame:
    """Rows as a table with the columns and types of the schema, also where there is no row, or no value in a column."""
    columns = model.to_schema().columns
    types = {name: "str" if column.dtype.type == "str" else column.dtype.type for name, column in columns.items()}
    return pd.DataFrame(rows, columns=list(columns)).astype(types)


def check(frame: pd.DataFrame, model: Model, where: str) -> pd.DataFrame:
    """The frame, if it fits.

    Raises:
        DataError: Every violated rule, with the first failing rows of each.
    """
    frame = frame.reset_index(drop=True)  # pandera 0.35 fails on a duplicate key under a duplicate index
    try:
        return model.validate(frame, lazy=True)
    except SchemaErrors as error:
        lines = _violations(error.failure_cases, frame)
        raise DataError(f"{where}: does not hold {model.__name__}.\n{listing(lines)}\n  {storage.REPAIR}") from None


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
    """Checks and writes a table."""
    storage.write_parquet(check(frame, model, passport["address"]), path, passport)


def read(path: Path, model: Model) -> pd.DataFrame:
    """Reads and checks a table, given its file or the folder that holds it."""
    if path.is_dir():
        tables = list(path.glob("*.parquet"))
        if len(tables) != 1:
            raise DataError(f"{path}: expected one parquet file, got {len(tables)}.\n  {storage.REPAIR}")
        path = tables[0]
    return check(storage.read_parquet(path), model, str(path))
