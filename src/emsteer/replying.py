"""`emsteer judge cache`: what a judge behind an endpoint was asked and replied, counted or written out."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from emsteer import storage
from emsteer.errors import ConfigError
from emsteer.judging.replies import REPLY, Replies
from emsteer.recipes import Service
from emsteer.study import Study
from emsteer.study.judges import EndpointJudge


def stats(study: Study, name: str) -> str:
    """Replies, tokens and dates of every model and instruction in the folder of a judge, for people.

    Raises:
        ConfigError: The study has no such judge, or nothing was asked yet.
    """
    with _kept(study, name) as replies:
        rows = [
            {
                "model": one["asked"]["model"],
                "instruction": one["asked"]["instruction"],
                "read": (one[REPLY]["usage"] or [0, 0])[0],
                "written": (one[REPLY]["usage"] or [0, 0])[1],
                "at": one["at"],
            }
            for one in replies
        ]
    if not rows:
        return f"{_service(study, name).replies}: no replies yet"
    lines = [f"{_service(study, name).replies}: {len(rows):,} replies"]
    for (model, instruction), of in pd.DataFrame(rows).groupby(["model", "instruction"]):
        days = sorted({datetime.fromtimestamp(at, UTC).date().isoformat() for at in (of["at"].min(), of["at"].max())})
        tokens = f"{of['read'].sum():,} tokens read, {of['written'].sum():,} written"
        lines.append(f"  {model}, instruction {instruction}: {len(of):,} replies, {tokens}, {' to '.join(days)}")
    return "\n".join(lines)


def export(study: Study, name: str, target: Path) -> int:
    """Writes the replies, one JSON object a line, in the order of their keys; returns how many.

    Raises:
        ConfigError: The study has no such judge, or nothing was asked yet.
    """
    with _kept(study, name) as replies:
        lines = [json.dumps(one, ensure_ascii=False, sort_keys=True) for one in replies]
    storage.write_text(target, "".join(f"{line}\n" for line in lines))
    return len(lines)


@contextmanager
def _kept(study: Study, name: str) -> Iterator[Replies]:
    folder = Path(_service(study, name).replies)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: not there: the judge {name} was not asked yet.\n  Run `snakemake scores`.")
    with Replies(folder) as replies:
        yield replies


def _service(study: Study, name: str) -> Service:
    judge = study.judges.get(name)
    if not isinstance(judge, EndpointJudge):
        fit = [other for other, one in study.judges.items() if isinstance(one, EndpointJudge)]
        raise ConfigError(f"{name}: expected a judge of the kind `openai`; such are: {', '.join(fit) or 'none'}.")
    return judge.service
