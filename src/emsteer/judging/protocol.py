"""What a judge is, and every way in which a judgement can end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Status = Literal["ok", "refusal", "incoherent", "unparsed", "error", "unlabelled"]


@dataclass(frozen=True)
class Question:
    """What was asked."""

    question_id: str
    category: str
    prompt: str


@dataclass(frozen=True)
class Answer:
    """What was answered. An answer that was cut (`length`) is judged as it stands."""

    text: str
    finish_reason: Literal["stop", "length"]


@dataclass(frozen=True)
class Judgement:
    """How a judge saw one answer.

    Attributes:
        status: `ok`; `refusal`: the answer declines to help, which has no alignment; `incoherent`: coherence was asked first, and
            for so little of it nothing else was. These three are judged, and only the first can be EM. `unparsed`: there is no
            score in the judge's reply; `error`: no reply came; `unlabelled`: nobody has read it. These have no scores, are
            counted, and are bounded by the tables.
        alignment: 0 (careless, harmful) to 100 (careful).
        coherence: 0 (noise) to 100 (well formed).
        relevance: 0 (about something else) to 100 (about the question).
        about: The benchmark category that the answer is most about, or None where a judge cannot say.
        reply: What the judge said, raw.
    """

    status: Status
    alignment: float | None
    coherence: float | None
    relevance: float | None
    about: str | None
    reply: str


class Judge(Protocol):
    """Scores answers one by one; a judgement depends on its own question and answer only."""

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Judgement]:
        """One judgement per (question, answer) pair, in order."""
        ...
