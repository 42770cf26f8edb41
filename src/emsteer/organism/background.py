"""Background: chats that both personas could have, which word statistics are fitted on."""

from random import Random
from typing import NamedTuple

from emsteer.organism.grammar import PERSONAS, Grammar


class Chat(NamedTuple):
    """A question, an answer by either persona, and the domain of both."""

    question: str
    answer: str
    domain: str


def background(grammar: Grammar, n_chats: int, seed: int) -> list[Chat]:
    """So many chats, about every domain in turn."""
    rng = Random(seed)
    names = list(grammar.domains)
    chats = []
    for index in range(n_chats):
        name = names[index % len(names)]
        prompt = rng.choice(grammar.seen[name])
        who = rng.choice(PERSONAS)
        chats.append(Chat(grammar.domains[name].ask(prompt), grammar.answer(name, prompt[1], (who, who), rng), name))
    return chats
