"""Where the page's numbers come from: the artifacts of every setting on it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emsteer import schemas
from emsteer.analysis.settings import name_of

ROLES = ["made", "answers", "scores", "margins"]


def sources(judged: Path, shown: Iterable[str]) -> tuple[list[dict[str, Any]], int]:
    """Each setting of the page with the addresses of its vectors or adapters, answers, scores and margins, all seeds together.

    Beside them, how many such artifacts there are beneath the whole study.

    Args:
        judged: The folder of `schemas.Judged`.
        shown: Names of settings, with or without a seed; several that were pooled are joined by ` + `.
    """
    names = {name for joined in shown for name in joined.split(" + ")}
    found: dict[str, dict[str, dict[str, None]]] = {}
    artifacts: set[str] = set()
    for part in schemas.read_parts(judged, schemas.Judged):
        for row in part.drop_duplicates(["setting", *ROLES]).to_dict("records"):
            of_row = {role: row[role].split(" + ") if isinstance(row[role], str) else [] for role in ROLES}
            artifacts.update(*of_row.values())
            for name in sorted({row["setting"], name_of(row, seeded=False)} & names):
                made = found.setdefault(name, {role: {} for role in ROLES})
                for role in ROLES:
                    made[role] |= dict.fromkeys(of_row[role])
    return [{"name": name, **{role: list(of) for role, of in groups.items()}} for name, groups in found.items()], len(artifacts)
