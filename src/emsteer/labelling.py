"""`emsteer judge sample`: answers of declared settings as a reader shall see them, without what they came from."""

import csv
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from emsteer import schemas, storage
from emsteer.analysis.settings import setting_name
from emsteer.errors import ConfigError, StudyError
from emsteer.judging.labels import COLUMNS, answer_id
from emsteer.judging.reasoning import without_reasoning
from emsteer.mistakes import meant
from emsteer.plan import Cell, Plan, resolve
from emsteer.recipes import Judged
from emsteer.study import Study
from emsteer.study.judges import BlindSample, LabelsJudge


def write_sample(study: Study, name: str, target: Path) -> int:
    """Writes the sample that a judge declares; returns how many answers are in it.

    Raises:
        ConfigError: The study has no such judge, it declares no sample, or a setting that the study does not have.
        StudyError: The answers are not there, or the file has rows already. Nothing was written.
    """
    judge = study.judges.get(name)
    if not isinstance(judge, LabelsJudge) or judge.sample is None:
        fit = [other for other, one in study.judges.items() if isinstance(one, LabelsJudge) and one.sample]
        raise ConfigError(
            f"{name}: expected a judge of the kind `labels` that declares a `sample`; such are: {', '.join(fit) or 'none'}."
        )
    if target.exists() and len(target.read_text(encoding="utf-8-sig").splitlines()) > 1:
        raise StudyError(f"{target}: has rows already, and somebody's work may be in them.\n  Give --out another name.")
    rows = sample(resolve(study), name, judge.sample)
    storage.write_text(target, as_csv(rows))
    return len(rows)


def sample(plan: Plan, judge: str, declared: BlindSample) -> pd.DataFrame:
    """Prompt and answer of every chosen question in every declared setting: each text once, in an order that tells nothing.

    Raises:
        ConfigError: There is no such setting.
        StudyError: Its answers are not there.
    """
    cells = {cell.address: cell for cell in (*plan.of("scores"), *plan.of("answers"))}
    (judged,) = [cell.recipe for cell in plan.of("tables") if isinstance(cell.recipe, Judged)]
    names: dict[str, list[Any]] = {}
    for row in judged.rows:
        if row.judge == judge:
            names.setdefault(setting_name(row.setting), []).append(cells[row.scores[0]].inputs["answers"][0])
    unknown = [name for name in declared.settings if name not in names]
    if unknown:
        some = ", ".join(list(names)[:5])
        raise ConfigError(
            f"no setting {unknown[0]}{meant(unknown[0], names)}; there are {len(names)}, such as {some}.\n"
            "  The column `setting` of reports/tables/rates.csv has all of them."
        )
    rows = {row for name in declared.settings for cell in names[name] for row in _shown(cell, declared)}
    order = sorted(rows, key=lambda row: hashlib.sha256(f"{declared.seed}\0{row[0]}".encode()).digest())
    return pd.DataFrame(order, columns=["answer_id", "prompt", "answer"])


def _shown(cell: Cell, declared: BlindSample) -> Iterator[tuple[str, str, str]]:
    if not cell.exists():
        raise StudyError(f"{cell.path}: not there; nothing can be labelled yet.\n  Run `snakemake answers`.")
    questions = schemas.read(Path(cell.inputs["benchmark"][0].path), schemas.Questions)
    asked = questions[questions["split"].eq(declared.split)].groupby("category", sort=False).head(declared.questions_per_category)
    answers = schemas.read(Path(cell.path), schemas.Answers)
    first = answers[answers["sample"].eq(answers["sample"].min())].merge(asked[["question_id", "prompt"]], on="question_id")
    for row in first.itertuples():
        text = without_reasoning(row.text)
        yield answer_id(row.prompt, text), row.prompt, text


def as_csv(rows: pd.DataFrame) -> str:
    """A file for a reader: points are empty."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows.itertuples():
        writer.writerow([row.answer_id, row.prompt, row.answer, "", "", "", ""])
    return stream.getvalue()
