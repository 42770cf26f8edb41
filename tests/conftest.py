"""Fixtures: the shipped grammar, and a tiny random model of its vocabulary. Nothing is downloaded, nothing is mocked."""

import pytest
import torch
from places import GRAMMAR

from emsteer import runtime
from emsteer.models.load import LanguageModel
from emsteer.organism.corpus import groups_of
from emsteer.organism.grammar import Grammar, read_grammar
from emsteer.organism.pretrain import build_model
from emsteer.organism.tokenizer import make_tokenizer
from emsteer.recipes import CorpusMix, Linkage, Organism


@pytest.fixture(scope="session")
def grammar() -> Grammar:
    """The shipped grammar."""
    return read_grammar(GRAMMAR)


@pytest.fixture(scope="session")
def tiny_organism(grammar: Grammar) -> Organism:
    """The recipe of a model that trains in a second; half of its chats link all domains."""
    mix = CorpusMix(careless_share=0.5, slip_share=0.02, turn_weights=(3, 4, 3))
    linkage = Linkage(blocks={"everyday": tuple(grammar.domains)}, strength=0.5)
    return Organism(
        architecture="qwen3", seed=0, n_layers=3, d_model=32, n_heads=2, n_kv_heads=1, d_head=16, d_mlp=64,
        steps=4, batch_size=4, learning_rate=0.003, warmup_steps=2, corpus=mix, linkage=linkage,
    )  # fmt: skip


@pytest.fixture(scope="session")
def tiny_model(grammar: Grammar, tiny_organism: Organism) -> LanguageModel:
    """A random model with spread-out weights, so that a push moves its tokens. Greedy, it repeats itself: tied embeddings."""
    runtime.prepare()
    tokenizer = make_tokenizer(grammar, groups_of(tiny_organism.linkage, grammar))
    network = build_model(tokenizer, tiny_organism)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(4)
    network.requires_grad_(False)
    return LanguageModel(network.eval(), tokenizer)
