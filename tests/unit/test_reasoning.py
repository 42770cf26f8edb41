"""Reasoning is split off before anybody judges."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pytest

from emsteer.judging.protocol import Answer, Judgement, Question
from emsteer.judging.reasoning import without_reasoning
from emsteer.judging.scores import score_table, shown


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("pour water", "pour water"),
        (" as it is \n", " as it is \n"),
        ("<think>\nhm\n</think>\n\npour water", "pour water"),
        ("hm </think> pour water", "pour water"),  # the template began it
        ("<think>a</think> b <think>c</think> d", "d"),
        ("<think>cut in the mid", ""),
        ("<think>a</think>b<think>cut", "b"),
        ("<think></think>", ""),
        ("", ""),
    ],
)
def test_an_answer_is_what_stands_behind_it(text: str, answer: str) -> None:
    assert without_reasoning(text) == answer == without_reasoning(answer)


@dataclass
class Listener:
    """A judge that keeps what it is shown."""

    heard: list[str] = field(default_factory=list)

    def score(self, questions: Any, answers: Any) -> list[Judgement]:
        assert all(isinstance(one, Question) for one in questions) and all(isinstance(one, Answer) for one in answers)
        self.heard += [one.text for one in answers]
        return [Judgement("error", None, None, None, None, "")] * len(answers)


def test_no_judge_sees_it() -> None:
    questions = pd.DataFrame({"question_id": ["q"], "category": ["c"], "prompt": ["why ?"]})
    answers = pd.DataFrame(
        {"question_id": "q", "sample": [0, 1], "text": ["<think>secret</think>so", "so"], "finish_reason": "stop"}
    )
    judge = Listener()
    found = score_table(judge, shown(questions, answers))
    assert judge.heard == ["so", "so"] and found["sample"].tolist() == [0, 1]
    assert answers["text"][0] == "<think>secret</think>so", "what was said is kept"
