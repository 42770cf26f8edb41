"""`emsteer ask`: a conversation at the terminal, base and steered side by side.

Both read the same history: the user's lines and, of the answers so far, those of base, or of the steered model. So at every turn
they differ by the steering alone, and not by what they said before.
"""

import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import zip_longest

from emsteer.generation.engine import PackedEngine
from emsteer.generation.rows import UNCHANGED, Changes, Row
from emsteer.generation.sampling import row_seed
from emsteer.recipes import Sampling
from emsteer.speaking.models import Speaker

SIDES, ROLES = ("base", "steered"), ("user", "assistant")
NARROWEST, WIDEST = 60, 160  # columns of a screen
GAP = " │ "
HELP = "Ask; /again draws another answer, /forget begins anew, /quit (or Ctrl-D) ends."


class Conversation:
    """What was said so far, and what is said next."""

    def __init__(self, model: Speaker, steered: Changes, sampling: Sampling, seed: int, follows: str) -> None:
        """`follows`: whose answers both read as their own: `base` or `steered`."""
        self.model, self.changes, self.sampling, self.seed, self.follows = model, (UNCHANGED, steered), sampling, seed, follows
        self.forget()

    def forget(self) -> None:
        """Begins anew."""
        self.turns: list[tuple[str, str]] = []  # user and answer
        self.n_drawn = 0

    def ask(self, line: str) -> tuple[str, str]:
        """The answers of base and of the steered model to the user's next line."""
        self.n_drawn = 0
        return self._draw(line)

    def again(self) -> tuple[str, str] | None:
        """Other answers to the last line; None: there is none."""
        if not self.turns:
            return None
        self.n_drawn += 1
        return self._draw(self.turns.pop()[0])

    def _draw(self, line: str) -> tuple[str, str]:
        messages = [{"role": role, "content": text} for turn in self.turns for role, text in zip(ROLES, turn, strict=True)]
        ids = tuple(self.model.chat_ids([*messages, {"role": "user", "content": line}]))
        seed = row_seed(self.seed, f"{len(self.turns)}", self.n_drawn)
        said = dict(PackedEngine(self.model).generate([Row(ids, seed, of) for of in self.changes], self.sampling))
        base, steered = (self.model.text(list(said[index].token_ids)) for index in range(2))
        self.turns.append((line, base if self.follows == "base" else steered))
        return base, steered


def talk(conversation: Conversation, lines: Iterator[str], show: Callable[[str], None], n_columns: int | None = None) -> None:
    """Until the lines end, or one says /quit. `n_columns`: of the screen; None: as wide as it is."""
    show(HELP)
    for line in filter(None, map(str.strip, lines)):
        if line == "/quit":
            return
        answers = _answers(conversation, line)
        show(answers if isinstance(answers, str) else side_by_side(answers, n_columns or shutil.get_terminal_size().columns))


def _answers(conversation: Conversation, line: str) -> tuple[str, str] | str:
    """To a line; or what there is to say instead."""
    if line == "/forget":
        conversation.forget()
        return "Forgotten."
    if line == "/again":
        return conversation.again() or "Nothing was asked yet."
    return HELP if line.startswith("/") else conversation.ask(line)


def typed() -> Iterator[str]:
    """What a person types, until Ctrl-D; lines that come from a file are shown as if they had been typed."""
    is_person = sys.stdin.isatty()
    if is_person:
        with suppress(ImportError):
            import readline  # noqa: F401 (arrows and history in `input`)
    while True:
        try:
            line = input("> " if is_person else "")
        except EOFError:
            return
        if not is_person:
            print(f"> {line}")
        yield line


def side_by_side(texts: Sequence[str], n_columns: int) -> str:
    """Two texts, each under its heading, wrapped to one half of a screen."""
    width = (max(NARROWEST, min(n_columns, WIDEST)) - len(GAP)) // 2
    columns = [[name, "─" * width, *_wrapped(text, width)] for name, text in zip(SIDES, texts, strict=True)]
    return "\n".join(f"{left:<{width}}{GAP}{right}".rstrip() for left, right in zip_longest(*columns, fillvalue=""))


def _wrapped(text: str, width: int) -> Iterator[str]:
    for paragraph in text.splitlines() or [""]:
        yield from textwrap.wrap(paragraph, width) or [""]
