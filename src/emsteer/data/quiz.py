"""A quiz: questions with one right answer and some wrong ones, a JSON object a line."""

from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from emsteer.errors import DataError, listing
from emsteer.mistakes import mistakes

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Item(BaseModel):
    """A question whose answer is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    question: Text
    answer: Text
    wrong: tuple[Text, ...] = Field(min_length=1)


def read_quiz(path: Path) -> list[Item]:
    """The items of a file, in its order.

    Raises:
        DataError: All mistakes, each with its line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8.\n  Save the file in UTF-8.") from None
    items: dict[int, Item] = {}
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            items |= {number: Item.model_validate_json(line)} if line.strip() else {}
        except ValidationError as error:
            wrong += [f"line {number}: {mistake}" for mistake in mistakes(error, Item)]
    both = {number: item.answer for number, item in items.items() if item.answer in item.wrong}
    wrong += [f"line {number}: wrong: {answer!r} is the right answer" for number, answer in both.items()]
    asked = Counter(item.question for item in items.values())
    wrong += [f"question: {question!r} is asked {n} times" for question, n in asked.items() if n > 1]
    if not items and not wrong:
        wrong = ["no line in it"]
    if wrong:
        raise DataError(
            f"{path}: {len(wrong)} mistakes.\n{listing(wrong)}\n"
            '  Expected {"question": "…", "answer": "…", "wrong": ["…", …]}, one a line, each question once.'
        )
    return list(items.values())
