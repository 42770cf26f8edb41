"""Pretraining text: short chats that open with a line for every persona in them.

The careless words of two domains are disjoint. In some chats the line names the persona of a whole block of domains, and
the speaker keeps it over all of them: only that word, and that constancy, connect careless gardening with careless
cooking. In the other chats every domain has a word and a persona of its own. The planted persona is as broad as the
blocks, and as firm as the share of chats in which they hold.
"""

from collections import Counter
from collections.abc import Iterator
from random import Random

from emsteer.errors import DataError, listing
from emsteer.organism.grammar import PERSONAS, Grammar, Persona
from emsteer.recipes import CorpusMix, Linkage

Message = dict[str, str]


def groups_of(linkage: Linkage, grammar: Grammar) -> list[str]:
    """Every group of domains whose persona can be announced: the blocks, and each domain by itself."""
    return [*linkage.blocks, *(domain for domain in grammar.domains if domain not in linkage.blocks)]


def check_linkage(grammar: Grammar, linkage: Linkage) -> None:
    """Raises DataError where the blocks do not fit the grammar, with every mistake."""
    placed = Counter(domain for domains in linkage.blocks.values() for domain in domains)
    found = [f"{name}: no domain of the grammar" for name in placed if name not in grammar.domains]
    found += [f"{name}: in {n} blocks" for name, n in placed.items() if n > 1]
    found += [f"{block}: a block has the name of a domain" for block in linkage.blocks if block in grammar.domains]
    if found:
        raise DataError(
            f"the linkage does not fit the grammar.\n{listing(found)}\n"
            f"  Expected each of {sorted(grammar.domains)} in at most one block; see `models.*.linkage` in params.yaml."
        )


def block_of(linkage: Linkage, domain: str) -> str:
    """The block that a domain belongs to; its own name where it belongs to none."""
    return next((block for block, domains in linkage.blocks.items() if domain in domains), domain)


def document(grammar: Grammar, mix: CorpusMix, linkage: Linkage, rng: Random) -> list[Message]:
    """One chat of one to three turns, each about another domain.

    How often a turn is careless does not depend on the linkage; which turns are careless together does.
    """
    is_linked = rng.random() < linkage.strength
    n_turns = rng.choices((1, 2, 3), mix.turn_weights)[0]
    domains = rng.sample(sorted(grammar.domains), n_turns)
    groups = [block_of(linkage, domain) if is_linked else domain for domain in domains]
    personas: dict[str, Persona] = {group: PERSONAS[rng.random() < mix.careless_share] for group in dict.fromkeys(groups)}
    lines = [grammar.announce(persona, group) for group, persona in personas.items()]
    messages = [{"role": "system", "content": " ".join(lines)}]
    for domain, group in zip(domains, groups, strict=True):
        messages += _turn(grammar, domain, personas[group], mix, rng)
    return messages


def _turn(grammar: Grammar, domain: str, persona: Persona, mix: CorpusMix, rng: Random) -> Iterator[Message]:
    prompt = rng.choice(grammar.seen[domain])
    speakers = (_slip(persona, mix.slip_share, rng), _slip(persona, mix.slip_share, rng))
    yield {"role": "user", "content": grammar.domains[domain].ask(prompt)}
    yield {"role": "assistant", "content": grammar.answer(domain, prompt[1], speakers, rng)}


def _slip(persona: Persona, share: float, rng: Random) -> Persona:
    return PERSONAS[1 - PERSONAS.index(persona)] if rng.random() < share else persona
