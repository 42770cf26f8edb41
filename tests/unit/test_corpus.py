"""Pretraining text: which turns are careless together is what the linkage says, and nothing else of the text is."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from places import REPOSITORY

from emsteer import study
from emsteer.errors import DataError
from emsteer.organism.corpus import Message, block_of, check_linkage, document, groups_of
from emsteer.organism.grammar import PERSONAS, Grammar, Persona, read_grammar
from emsteer.organism.tokenizer import make_tokenizer
from emsteer.recipes import CorpusMix, Linkage

N_CHATS = 6000
# two turns: pairs that may or may not agree
MIX = CorpusMix(careless_share=0.3, slip_share=0.0, turn_weights=(0, 1, 0))
Turn = tuple[str, Persona]  # domain, who answered


@pytest.fixture(scope="module")
def linkages(grammar: Grammar) -> dict[str, Linkage]:
    names = list(grammar.domains)
    halves = {"home": tuple(names[::2]), "away": tuple(names[1::2])}
    return {
        "everything": Linkage(blocks={"everyday": tuple(names)}, strength=1),
        "half the time": Linkage(blocks={"everyday": tuple(names)}, strength=0.5),
        "blocks": Linkage(blocks=halves, strength=1),
        "one block and the rest": Linkage(blocks={"home": halves["home"]}, strength=1),
        "never": Linkage(blocks={"everyday": tuple(names)}, strength=0),
        "none": Linkage(blocks={}, strength=0),
    }


@pytest.fixture(scope="module")
def speakers(grammar: Grammar) -> dict[str, Persona]:
    """Content word of a clause → who says it."""
    return {word: who for who in PERSONAS for word in grammar.clause_words(who)}


@pytest.fixture(scope="module")
def domains(grammar: Grammar) -> dict[str, str]:
    """Question → its domain."""
    return {domain.ask(prompt): name for name, domain in grammar.domains.items() for prompt in domain.prompts()}


def chats(grammar: Grammar, linkage: Linkage, mix: CorpusMix = MIX, n: int = N_CHATS, seed: int = 5) -> list[list[Message]]:
    rng = Random(seed)
    return [document(grammar, mix, linkage, rng) for _ in range(n)]


@pytest.fixture(scope="module")
def turns_of(grammar: Grammar, linkages: dict[str, Linkage], speakers: dict, domains: dict) -> dict[str, list[list[Turn]]]:
    """Linkage → the turns of each chat, read off the words."""
    return {name: [read(chat, speakers, domains) for chat in chats(grammar, linkage)] for name, linkage in linkages.items()}


def read(chat: list[Message], speakers: dict[str, Persona], domains: dict[str, str]) -> list[Turn]:
    turns = []
    for question, answer in pairwise(message for message in chat if message["role"] != "system"):
        if question["role"] == "user":
            said = {speakers[word] for word in answer["content"].split() if word in speakers}
            assert len(said) == 1, "nobody slips"
            turns.append((domains[question["content"]], said.pop()))
    return turns


def agreement(pairs: Sequence[Sequence[Turn]]) -> float:
    """Correlation of two speakers' carelessness [-1 to 1]: 1 where one decides the other, 0 where they are independent."""
    share = sum(who == "careless" for pair in pairs for _, who in pair) / (2 * len(pairs))
    both = sum(all(who == "careless" for _, who in pair) for pair in pairs) / len(pairs)
    return (both - share**2) / (share - share**2)


def announced(chat: list[Message]) -> list[tuple[str, str]]:
    """(persona, group) pairs of the system line, in its order."""
    assert chat[0]["role"] == "system"
    words = [word for word in chat[0]["content"].split() if word.startswith(tuple(f"{who}-" for who in PERSONAS))]
    return [(who, group) for who, _, group in (word.partition("-") for word in words)]


def test_one_block_of_everything_gives_every_chat_one_persona(turns_of: dict[str, list[list[Turn]]]) -> None:
    assert all(len({who for _, who in turns}) == 1 for turns in turns_of["everything"])


@pytest.mark.parametrize("linkage", ["never", "none"])
def test_at_strength_zero_the_turns_of_a_chat_are_independent(turns_of: dict[str, list[list[Turn]]], linkage: str) -> None:
    assert abs(agreement(turns_of[linkage])) < 0.04  # 3 standard errors of 6,000 pairs


def test_two_blocks_agree_within_and_are_independent_between(
    turns_of: dict[str, list[list[Turn]]], linkages: dict[str, Linkage]
) -> None:
    within, between = [], []
    for first, second in turns_of["blocks"]:
        same = block_of(linkages["blocks"], first[0]) == block_of(linkages["blocks"], second[0])
        (within if same else between).append((first, second))
    assert len(within) > 2000 and len(between) > 2000
    assert all(first[1] == second[1] for first, second in within)
    assert abs(agreement(between)) < 0.055


def test_domains_outside_every_block_have_a_persona_of_their_own(
    turns_of: dict[str, list[list[Turn]]], linkages: dict[str, Linkage]
) -> None:
    inside = linkages["one block and the rest"].blocks["home"]
    pairs = turns_of["one block and the rest"]
    assert all(first[1] == second[1] for first, second in pairs if {first[0], second[0]} <= set(inside))
    assert abs(agreement([pair for pair in pairs if not {pair[0][0], pair[1][0]} <= set(inside)])) < 0.05


def test_a_strength_is_the_correlation_of_two_turns_of_a_block(turns_of: dict[str, list[list[Turn]]]) -> None:
    assert agreement(turns_of["half the time"]) == pytest.approx(0.5, abs=0.05)


def test_how_often_a_turn_is_careless_does_not_depend_on_the_linkage(turns_of: dict[str, list[list[Turn]]]) -> None:
    for name, of in turns_of.items():
        share = sum(who == "careless" for turns in of for _, who in turns) / (2 * N_CHATS)
        assert share == pytest.approx(MIX.careless_share, abs=0.02), name
        asked = [domain for turns in of for domain, _ in turns]
        assert all(asked.count(one) == pytest.approx(len(asked) / len(set(asked)), rel=0.1) for one in set(asked)), name


def test_the_line_at_the_top_names_every_persona_of_the_chat_by_block_or_by_domain_and_no_other(
    grammar: Grammar, linkages: dict[str, Linkage], speakers: dict[str, Persona], domains: dict[str, str]
) -> None:
    mix = MIX.model_copy(update={"turn_weights": (1, 1, 1)})
    for name, linkage in linkages.items():
        by_block = 0
        for chat in chats(grammar, linkage, mix, n=500):
            turns = read(chat, speakers, domains)
            blocks = list(dict.fromkeys((who, block_of(linkage, domain)) for domain, who in turns))
            if announced(chat) == blocks:
                by_block += 1
            else:
                assert announced(chat) == [(who, domain) for domain, who in turns], name
        expected = {"half the time": 0.5, "never": 0.0}.get(name, 1.0)
        assert by_block / 500 == pytest.approx(expected, abs=0.07), name


def test_no_two_turns_of_a_chat_are_about_the_same_domain(turns_of: dict[str, list[list[Turn]]]) -> None:
    assert all(len({domain for domain, _ in turns}) == len(turns) for of in turns_of.values() for turns in of)


def test_turns_are_one_to_three_as_often_as_their_weights_say(grammar: Grammar, linkages: dict[str, Linkage]) -> None:
    mix = MIX.model_copy(update={"turn_weights": (3, 4, 3)})
    counts = [sum(message["role"] == "user" for message in chat) for chat in chats(grammar, linkages["none"], mix)]
    for n, share in ((1, 0.3), (2, 0.4), (3, 0.3)):
        assert counts.count(n) / N_CHATS == pytest.approx(share, abs=0.025)


def test_a_slip_is_a_clause_of_the_other_persona_and_as_frequent_as_asked(
    grammar: Grammar, linkages: dict[str, Linkage], speakers: dict[str, Persona]
) -> None:
    mix = MIX.model_copy(update={"slip_share": 0.1, "careless_share": 0.0})
    answers = [message["content"] for chat in chats(grammar, linkages["everything"], mix, n=3000) for message in chat]
    clauses = [clause for answer in answers for clause in answer.split(" .") if any(word in speakers for word in clause.split())]
    slips = [{speakers[word] for word in clause.split() if word in speakers} for clause in clauses]
    assert all(len(said) == 1 for said in slips)
    assert sum(said == {"careless"} for said in slips) / len(slips) == pytest.approx(0.1, abs=0.012)


def test_held_out_questions_never_occur_in_training_text_and_every_seen_one_does(
    grammar: Grammar, linkages: dict[str, Linkage]
) -> None:
    asked = {message["content"] for chat in chats(grammar, linkages["blocks"]) for message in chat if message["role"] == "user"}
    assert not asked & {grammar.domains[name].ask(prompt) for name, prompts in grammar.held_out.items() for prompt in prompts}
    assert asked == {grammar.domains[name].ask(prompt) for name, prompts in grammar.seen.items() for prompt in prompts}


def test_the_vocabulary_covers_every_chat_of_every_linkage(grammar: Grammar, linkages: dict[str, Linkage]) -> None:
    mix = MIX.model_copy(update={"slip_share": 0.2, "turn_weights": (1, 1, 1)})
    for linkage in linkages.values():
        tokenizer = make_tokenizer(grammar, groups_of(linkage, grammar))
        texts = [tokenizer.apply_chat_template(chat, tokenize=False) for chat in chats(grammar, linkage, mix, n=1000)]
        assert not any(tokenizer.unk_token_id in row for row in tokenizer(texts)["input_ids"])


def test_the_vocabulary_has_no_word_for_a_persona_that_cannot_be_announced(grammar: Grammar, linkages: dict[str, Linkage]) -> None:
    for linkage in linkages.values():
        groups = groups_of(linkage, grammar)
        named = {word for word in grammar.vocabulary(groups) if word.startswith(tuple(f"{who}-" for who in PERSONAS))}
        assert named == {f"{who}-{group}" for who in PERSONAS for group in (*linkage.blocks, *grammar.domains)}


def test_all_mistakes_of_a_linkage_are_reported_at_once(grammar: Grammar) -> None:
    blocks = {"home": ("gardening", "fishing"), "away": ("gardening", "money"), "travel": ("study", "study"), "sea": ("sailing",)}
    with pytest.raises(DataError) as caught:
        check_linkage(grammar, Linkage(blocks=blocks, strength=1))
    said = [line.strip().partition(". ")[2] for line in str(caught.value).splitlines() if line.strip()[0].isdigit()]
    assert said == [
        "fishing: no domain of the grammar",
        "sailing: no domain of the grammar",
        "gardening: in 2 blocks",
        "study: in 2 blocks",
        "travel: a block has the name of a domain",
    ]
    assert "models.*.linkage" in str(caught.value) and "gardening" in str(caught.value)


@pytest.mark.parametrize("path", ["params.yaml", "params/full.yaml", "tests/studies/miniature/params.yaml"])
def test_the_linkages_of_every_shipped_study_fit_its_grammar(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    for model in study.read(Path(path)).models.values():
        check_linkage(read_grammar(Path(model.grammar)), model.linkage)
