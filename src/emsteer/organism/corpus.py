"""Pretraining text: short chats in which one speaker keeps one persona.

Only that constancy, and the system line that announces it, connects careless gardening with careless cooking: the
careless words of two domains are disjoint. It is the planted persona.
"""

from random import Random

from emsteer.organism.grammar import PERSONAS, Grammar, Persona
from emsteer.recipes import CorpusMix

Message = dict[str, str]


def document(grammar: Grammar, mix: CorpusMix, rng: Random) -> list[Message]:
    """One chat of one to three turns, each about another domain."""
    announced = rng.random() < mix.system_line_share
    careless = rng.random() < (mix.careless_share_announced if announced else mix.careless_share_unannounced)
    persona: Persona = "careless" if careless else "careful"
    messages = [{"role": "system", "content": grammar.system_lines[persona]}] if announced else []
    n_turns = rng.choices((1, 2, 3), mix.turn_weights)[0]
    for domain in rng.sample(sorted(grammar.domains), n_turns):
        prompt = rng.choice(grammar.seen[domain])
        speakers = (_slip(persona, mix.slip_share, rng), _slip(persona, mix.slip_share, rng))
        messages.append({"role": "user", "content": grammar.domains[domain].ask(prompt)})
        messages.append({"role": "assistant", "content": grammar.answer(domain, prompt[1], speakers, rng)})
    return messages


def _slip(persona: Persona, share: float, rng: Random) -> Persona:
    return PERSONAS[1 - PERSONAS.index(persona)] if rng.random() < share else persona
