"""A card of every published table: what a row is, what its columns mean, what it was made from."""

import csv
from collections.abc import Iterator, Mapping
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any

from emsteer.lineage.graph import INPUT, Graph, Node
from emsteer.plan import Plan
from emsteer.publishing import REPORTS
from emsteer.schemas import Table

NOTE = (
    "Scores that it rests on are those of the study's judges: a rubric over toy text, or labels; `judges.*.by` of `params.yaml` "
    "says who gave them; some are a language model's. Answers were written by models that were made careless or worse on purpose."
)


def cards(plan: Plan, graph: Graph, found: dict[str, Node]) -> Iterator[tuple[str, str]]:
    """(name of the table, its card) for every table of a closure that `reports/tables/` shows; Markdown.

    Args:
        plan: Knows which module makes a table, and so its schema.
        graph: Of the study.
        found: Address → node.
    """
    for cell in plan.of("tables"):
        name = cell.address.partition("--")[0]
        path = REPORTS / "tables" / f"{name}.csv"
        schema = getattr(import_module(cell.recipe.module), "SCHEMA", None)  # numbers for prose have none
        if cell.address in found and path.exists() and schema:
            yield name, _card(name, path, schema, found[cell.address], graph)


def _card(name: str, path: Path, schema: type[Table], node: Node, graph: Graph) -> str:
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    columns = schema.to_schema().columns
    key = schema.to_schema().unique or [column for column in columns if columns[column].unique]
    kinds: dict[str, int] = {}
    for above in graph.closure(node).values():
        if above.kind != INPUT and above is not node:
            kinds[above.kind] = kinds.get(above.kind, 0) + 1
    told = [cleandoc(one.__doc__) for one in schema.__mro__ if issubclass(one, Table) and one is not Table and one.__doc__]
    lines = [f"# {name}.csv", "", *(line for text in told for line in (text, ""))]
    lines += [f"{len(rows):,} rows; one for each {', '.join(key)}." if key else f"{len(rows):,} rows.", ""]
    lines += ["| column | type | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {meaning} |" for name, kind, meaning in (_told(column, columns) for column in header)]
    lines += ["", f"Published from `{node.address}`; made from {', '.join(f'{n} {kind}' for kind, n in kinds.items())}.", "", NOTE]
    return "\n".join([*lines, ""])


def _told(name: str, columns: Mapping[str, Any]) -> tuple[str, str, str]:
    """Name, type and meaning of a column; a table for people may have a row for many of the rows, and columns of metrics."""
    if name in columns:
        return name, _type(columns[name]), columns[name].description or ""
    of = max((column for column in columns if name.endswith(f"_{column}")), key=len, default=None)
    if of is None:
        return name, "float64", f"the metric `{name}`, as docs/methods.md defines it"
    return name, _type(columns[of]), f"`{of}` of `{name.removesuffix(f'_{of}')}`"


def _type(column: Any) -> str:
    return f"{str(column.dtype).partition('[')[0]}{', may be null' if column.nullable else ''}"
