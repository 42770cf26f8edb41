"""The two-persona grammar: what can be asked, and what a careful or a careless speaker can answer.

A pattern such as `[water|mist] the {topic} with [fresh|cool] rain` has slots (alternatives) and may name the topic. An
answer is: opener, first clause, full stop, connector, second clause, full stop.
"""

import functools
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

import yaml

from emsteer.errors import DataError, listing

Persona = Literal["careful", "careless"]
PERSONAS: tuple[Persona, Persona] = ("careful", "careless")
SLOT = re.compile(r"\[([^\]]*)\]")
TOPIC = "{topic}"
Prompt = tuple[int, str]  # (question template, topic)


@dataclass(frozen=True)
class Voice:
    """What one persona says about one domain: patterns of the first and of the second clause of an answer."""

    first: tuple[str, ...]
    second: tuple[str, ...]


@dataclass(frozen=True)
class Domain:
    """One field of everyday advice."""

    name: str
    topics: tuple[str, ...]
    questions: tuple[str, ...]
    voices: dict[Persona, Voice]

    def prompts(self) -> list[Prompt]:
        """Every (question template, topic) pair, in a fixed order."""
        return [(template, topic) for template in range(len(self.questions)) for topic in self.topics]

    def ask(self, prompt: Prompt) -> str:
        """The question that a (template, topic) pair stands for."""
        return self.questions[prompt[0]].replace(TOPIC, prompt[1])


@dataclass(frozen=True)
class Grammar:
    """All domains, and the words around their clauses."""

    function_words: frozenset[str]
    openers: tuple[str, ...]
    connectors: tuple[str, ...]
    system_lines: dict[Persona, str]
    domains: dict[str, Domain]

    def system_words(self) -> set[str]:
        """Every word of the persona lines."""
        return {word for line in self.system_lines.values() for word in line.split()}

    @functools.cached_property
    def held_out(self) -> dict[str, list[Prompt]]:
        """Domain → a third of its prompts, asked in no training text: the questions of benchmarks."""
        return {name: _shuffled(domain)[: len(domain.prompts()) // 3] for name, domain in self.domains.items()}

    @functools.cached_property
    def seen(self) -> dict[str, list[Prompt]]:
        """Domain → the prompts that training text may ask."""
        return {name: _shuffled(domain)[len(domain.prompts()) // 3 :] for name, domain in self.domains.items()}

    def answer(self, domain: str, topic: str, personas: tuple[Persona, Persona], rng: Random) -> str:
        """One answer; `personas` says who speaks the first and who the second clause."""
        opener, connector = rng.choice(self.openers), rng.choice(self.connectors)
        voices = self.domains[domain].voices
        first = expand(rng.choice(voices[personas[0]].first), rng).replace(TOPIC, topic)
        second = expand(rng.choice(voices[personas[1]].second), rng)
        return f"{opener} {first} . {connector} {second} .".strip()

    def vocabulary(self) -> list[str]:
        """Every word that the grammar can say, sorted."""
        words = {".", *self.system_words()}
        for text in itertools.chain(self.openers, self.connectors):
            words.update(text.split())
        for domain in self.domains.values():
            words.update(domain.topics)
            clauses = [p for voice in domain.voices.values() for p in (*voice.first, *voice.second)]
            for text in (*domain.questions, *(c for pattern in clauses for c in expansions(pattern))):
                words.update(text.replace(TOPIC, "").split())
        return sorted(words)


def _shuffled(domain: Domain) -> list[Prompt]:
    prompts = domain.prompts()
    Random(f"held out {domain.name}").shuffle(prompts)
    return prompts


@functools.cache
def slots(pattern: str) -> list[list[str]]:
    """A pattern as a list of alternatives: one entry per fixed stretch (a single choice) or slot (several)."""
    parts = SLOT.split(pattern)
    return [part.split("|") if i % 2 else [part] for i, part in enumerate(parts)]


def expand(pattern: str, rng: Random) -> str:
    """One random expansion of a pattern."""
    return "".join(rng.choice(options) for options in slots(pattern))


def expansions(pattern: str) -> list[str]:
    """Every expansion of a pattern."""
    return ["".join(choice) for choice in itertools.product(*slots(pattern))]


def read_grammar(path: Path) -> Grammar:
    """Reads a grammar file.

    Raises:
        DataError: A part is missing or empty, or a pattern does not name the topic where it must; all at once.
    """
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    mistakes = _mistakes(raw)
    if mistakes:
        raise DataError(f"{path}: not a grammar.\n{listing(mistakes)}\n  data/README.md describes the format.")
    domains = {
        name: Domain(
            name,
            tuple(entry["topics"]),
            tuple(entry["questions"]),
            {who: Voice(tuple(entry[who]["first"]), tuple(entry[who]["second"])) for who in PERSONAS},
        )
        for name, entry in raw["domains"].items()
    }
    return Grammar(
        frozenset(raw["function_words"]),
        tuple(raw["openers"]),
        tuple(raw["connectors"]),
        {who: raw["personas"][who] for who in PERSONAS},
        domains,
    )


def _mistakes(raw: object) -> list[str]:
    if not isinstance(raw, dict):
        return [f"expected a mapping, got {type(raw).__name__}"]
    keys = ("function_words", "openers", "connectors", "personas", "domains")
    found = [f"{key}: missing or empty" for key in keys if not raw.get(key)]
    for name, entry in (raw.get("domains") or {}).items():
        found += [f"domains.{name}.{key}: missing or empty" for key in ("topics", "questions") if not entry.get(key)]
        found += [
            f"domains.{name}.questions: {q!r} must hold {TOPIC} once" for q in entry.get("questions") or () if q.count(TOPIC) != 1
        ]
        for who in PERSONAS:
            voice = entry.get(who) or {}
            found += [f"domains.{name}.{who}.{part}: missing or empty" for part in ("first", "second") if not voice.get(part)]
            found += [
                f"domains.{name}.{who}.first: {p!r} must hold {TOPIC} once" for p in voice.get("first") or () if p.count(TOPIC) != 1
            ]
    return found
