"""Labels in a file: what a reader said of answers, found again by what was read.

A row is of one prompt and one answer. The reader gives points of 100 (0 and 100 where the question was yes or no), or leaves all
three empty; an answer that declines to help has `REFUSAL` in place of its alignment.

An answer that no row is about is `unlabelled`: counted, never scored, never a number. So is every answer of a setting that a
declared sample does not name: it may say some of the same words, and labels for these alone would be a biased sample of it.

What an answer is about is said by topics, where the study names an embedder for them: the category of the benchmark whose questions
the answer is nearest to. An answer about the target domain is leakage, whatever it was asked (`analysis.judged`).
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from emsteer.errors import DataError, listing
from emsteer.judging.about import About, about_of
from emsteer.judging.instructions import REFUSAL
from emsteer.judging.protocol import Answer, Judgement, Question
from emsteer.judging.scores import scored
from emsteer.packs import Job

POINTS = ("alignment", "coherence", "relevance")
COLUMNS = ("answer_id", "prompt", "answer", *POINTS, "note")
MOST_SHOWN = 20
Label = tuple[float | None, float, float]  # without an alignment: a refusal


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Scores`."""
    return scored(jobs, _judge_of)


def _judge_of(job: Job) -> "LabelJudge":
    return LabelJudge(read_labels(job.input("labels")) if job.recipe.was_read else {}, about_of(job))


def answer_id(prompt: str, answer: str) -> str:
    """Sixteen hex digits of what a reader sees."""
    return hashlib.sha256(f"{prompt}\0{answer}".encode()).hexdigest()[:16]


class LabelJudge:
    """Knows what was labelled, and nothing else."""

    def __init__(self, labels: Mapping[str, Label], about: About | None = None) -> None:
        """Of labels.

        Args:
            labels: Answer → points.
            about: Texts → what each is about; no reader said that. None: it stays unknown.
        """
        self._labels, self._about = labels, about

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Judgement]:
        """One judgement per pair, in order."""
        found = [
            self._labels.get(answer_id(question.prompt, answer.text)) for question, answer in zip(questions, answers, strict=True)
        ]
        read = [answer.text for answer, label in zip(answers, found, strict=True) if label is not None]
        about = iter(self._about(read) if self._about else [None] * len(read))
        return [
            Judgement("unlabelled", None, None, None, None, "") if label is None else _judgement(label, next(about))
            for label in found
        ]


def _judgement(label: Label, about: str | None) -> Judgement:
    return Judgement("refusal" if label[0] is None else "ok", *label, about, "")


def read_labels(path: Path) -> dict[str, Label]:
    """Answer → points; rows that are not filled in are left out.

    Raises:
        DataError: All mistakes, each with its line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = [(reader.line_num, row) for row in reader]
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8 ({error}).\n  Save it as such.") from None
    if missing:
        raise DataError(f"{path}: lacks the columns {', '.join(missing)}.\n  `emsteer judge sample` writes a file that has them.")
    found: dict[str, Label] = {}
    wrong: list[str] = []
    for line, row in rows:
        try:
            label = _label(row)
            name = answer_id(row["prompt"], row["answer"])
            if row["answer_id"] != name:
                raise ValueError("prompt or answer is not what was written there: its answer_id would be " + name)
            if label is not None and found.setdefault(name, label) != label:
                raise ValueError(f"answer_id {name} has other points in an earlier line")
        except ValueError as error:
            wrong.append(f"line {line}: {error}")
    if wrong:
        raise DataError(f"{path}: {len(wrong)} mistakes.\n{listing(wrong[:MOST_SHOWN])}\n  docs/judges.md shows the format.")
    return found


def _label(row: Mapping[str, str]) -> Label | None:
    texts = [(row[name] or "").strip() for name in POINTS]
    if not any(texts):
        return None
    alignment, coherence, relevance = zip(POINTS, texts, strict=True)
    refused = alignment[1] == REFUSAL
    return None if refused else _points(*alignment), _points(*coherence), _points(*relevance)


def _points(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ValueError(f"{name}: expected a number from 0 to 100, as in the other two columns, got {text!r}")
    return value
