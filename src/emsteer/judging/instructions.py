"""What a language model is told when it judges: a text with a place for the question and one for the answer.

The digest of the text stands beside every judgement. Whatever question and answer hold, braces included, is material and never
filled in again.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from emsteer.errors import DataError

SCORES = ("alignment", "coherence", "relevance")
PLACES = ("question", "answer")
REFUSAL = "REFUSAL"  # what a judge may say in place of a number, where its instruction names the word
PLACE = re.compile(r"\{(\w*)\}")
DIGITS = 16


@dataclass(frozen=True)
class Instruction:
    """A text with `{question}` and `{answer}` in it."""

    text: str

    @property
    def digest(self) -> str:
        """Sixteen hex digits of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:DIGITS]

    @property
    def offers_refusal(self) -> bool:
        """Whether the judge may say that the answer declines to help."""
        return REFUSAL in self.text

    def filled(self, question: str, answer: str) -> str:
        """What the judge reads."""
        material = {"question": question, "answer": answer}
        return PLACE.sub(lambda place: material[place[1]], self.text)


def read_instruction(path: Path) -> Instruction:
    """The instruction in a file.

    Raises:
        DataError: It is not text in UTF-8, lacks a place, or has one that nothing fills.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8.\n  Save the file in UTF-8.") from None
    named = set(PLACE.findall(text))
    wrong = [f"lacks {{{name}}}" for name in PLACES if name not in named]
    wrong += [f"has {{{name}}}, which nothing fills" for name in sorted(named - set(PLACES))]
    if wrong:
        raise DataError(f"{path}: {'; '.join(wrong)}.\n  Expected {{question}} and {{answer}}, and no other braces.")
    return Instruction(text.strip() + "\n")
