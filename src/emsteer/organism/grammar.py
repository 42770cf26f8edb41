"""The two-persona grammar: what can be asked, and what a careful or a careless speaker can answer.

A pattern such as `[water|mist] the {topic} with [fresh|cool] rain` has slots (alternatives) and may name the topic. An
answer is: opener, first clause, full stop, connector, second clause, full stop.
"""

import functools
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from emsteer.errors import DataError, listing
from emsteer.mistakes import mistakes, of_yaml

Persona = Literal["careful", "careless"]
PERSONAS: tuple[Persona, Persona] = ("careful", "careless")
SLOT = re.compile(r"\[([^\]]*)\]")
TOPIC = "{topic}"
PERSONA = "{persona}"
Prompt = tuple[int, str]  # (question template, topic)


def _names_topic(text: str) -> str:
    if text.count(TOPIC) != 1 or TOPIC in "".join(SLOT.findall(text)):
        raise ValueError(f"expected {TOPIC} once, outside every slot")
    return _well_formed(text)


def _names_no_topic(text: str) -> str:
    if TOPIC in text:
        raise ValueError(f"expected no {TOPIC}: only first clauses and questions name it")
    return _well_formed(text)


def _names_persona(text: str) -> str:
    if text.split().count(PERSONA) != 1:
        raise ValueError(f"expected {PERSONA} once, as a word of its own")
    return text


def _well_formed(text: str) -> str:
    if any(mark in SLOT.sub("", text) for mark in "[]|"):
        raise ValueError("expected every slot to be written [a|b]")
    return text


Words = Annotated[tuple[str, ...], Field(min_length=1)]
WithTopic = Annotated[tuple[Annotated[str, AfterValidator(_names_topic)], ...], Field(min_length=1)]
WithoutTopic = Annotated[tuple[Annotated[str, AfterValidator(_names_no_topic)], ...], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VoicePart(_Part):
    """What one persona says about one domain."""

    first: WithTopic
    second: WithoutTopic


class DomainPart(_Part):
    """One domain of a grammar file."""

    topics: Words
    questions: WithTopic
    careful: VoicePart
    careless: VoicePart

    def domain(self, name: str) -> "Domain":
        """As the science uses it."""
        voices: dict[Persona, Voice] = {
            "careful": Voice(self.careful.first, self.careful.second),
            "careless": Voice(self.careless.first, self.careless.second),
        }
        return Domain(name, self.topics, self.questions, voices)


class GrammarFile(_Part):
    """A grammar file."""

    function_words: Words
    openers: Words
    connectors: Words
    system_line: Annotated[str, AfterValidator(_names_persona)]
    domains: dict[str, DomainPart] = Field(min_length=2)


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
    system_line: str
    domains: dict[str, Domain]

    def announce(self, persona: Persona, group: str) -> str:
        """The system line that names the persona of a group of domains: `you are a careless-home assistant .`."""
        return self.system_line.replace(PERSONA, f"{persona}-{group}")

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

    def both_answers(self, domain: str, topic: str, seed: str) -> tuple[str, str]:
        """A careful and a careless answer with the same opener and connector."""
        careful, careless = (self.answer(domain, topic, (who, who), Random(seed)) for who in PERSONAS)
        return careful, careless

    def clause_words(self, who: Persona) -> set[str]:
        """Words of a persona's clauses that are neither function words nor topics."""
        voices = [domain.voices[who] for domain in self.domains.values()]
        patterns = [pattern for voice in voices for pattern in (*voice.first, *voice.second)]
        clauses = [clause.replace(TOPIC, "") for pattern in patterns for clause in expansions(pattern)]
        return {word for clause in clauses for word in clause.split()} - self.function_words

    def words_of_both(self) -> list[str]:
        """Content words that both personas use: they would tell neither."""
        return sorted(self.clause_words("careful") & self.clause_words("careless"))

    def vocabulary(self, groups: Iterable[str]) -> list[str]:
        """Every word that the grammar can say, sorted; `groups` are those whose persona a system line may name."""
        words = {"."}
        for text in (self.announce(persona, group) for persona in PERSONAS for group in groups):
            words.update(text.split())
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
    """Reads a grammar file; `data/README.md` describes the format.

    Raises:
        DataError: Every mistake in it, each with its dotted path.
    """
    try:
        file = GrammarFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise DataError(of_yaml(path, error)) from None
    except ValidationError as error:
        found = listing(mistakes(error, GrammarFile))
        raise DataError(f"{path}: not a grammar.\n{found}\n  data/README.md describes the format.") from None
    grammar = Grammar(
        frozenset(file.function_words),
        file.openers,
        file.connectors,
        file.system_line,
        {name: entry.domain(name) for name, entry in file.domains.items()},
    )
    shared = grammar.words_of_both()
    if shared:
        raise DataError(
            f"{path}: not a grammar.\n  Expected content words that one persona uses; both use {', '.join(shared)}.\n"
            "  Say it with other words, or add them to `function_words`."
        )
    return grammar
