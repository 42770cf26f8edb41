"""The grammar: which words tie two domains or two personas together, what training text may ask, what a tokenizer must know."""

from collections import Counter
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from places import GRAMMAR

from emsteer.errors import DataError
from emsteer.organism.corpus import document
from emsteer.organism.grammar import PERSONAS, Domain, Grammar, Persona, expand, expansions, read_grammar
from emsteer.organism.tokenizer import ROLES, UNKNOWN, make_tokenizer
from emsteer.recipes import CorpusMix

EVERYTHING = CorpusMix(
    system_line_share=0.5, careless_share_announced=0.5, careless_share_unannounced=0.5, slip_share=0.2, turn_weights=(1, 1, 1)
)


def clauses(domain: Domain, who: Persona) -> list[str]:
    return [clause for pattern in (*domain.voices[who].first, *domain.voices[who].second) for clause in expansions(pattern)]


def content_words(grammar: Grammar, domain: Domain, who: Persona) -> set[str]:
    words = {word for clause in clauses(domain, who) for word in clause.split()}
    return words - grammar.function_words - {"{topic}"}


def mistakes(tmp_path: Path, raw: Any) -> str:
    path = tmp_path / "broken.yaml"
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(DataError) as caught:
        read_grammar(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("who", PERSONAS)
def test_content_words_of_a_persona_in_one_domain_occur_in_no_other_domains_clauses(grammar: Grammar, who: Persona) -> None:
    words = {name: content_words(grammar, domain, who) for name, domain in grammar.domains.items()}
    shared = {(a, b): words[a] & words[b] for a, b in combinations(words, 2) if words[a] & words[b]}
    assert all(len(found) > 20 for found in words.values())
    assert not shared


def test_no_content_word_is_spoken_by_both_personas(grammar: Grammar) -> None:
    careful, careless = (
        set().union(*(content_words(grammar, domain, who) for domain in grammar.domains.values())) for who in PERSONAS
    )
    assert not careful & careless


def test_no_topic_names_another_domains_topic_or_content(grammar: Grammar) -> None:
    for name, other in ((a, b) for a in grammar.domains for b in grammar.domains if a != b):
        topics = set(grammar.domains[name].topics)
        theirs = set(grammar.domains[other].topics).union(
            *(content_words(grammar, grammar.domains[other], who) for who in PERSONAS)
        )
        assert not topics & theirs, (name, other)


def test_a_third_of_each_domains_prompts_is_held_out_and_the_rest_is_seen(grammar: Grammar) -> None:
    for name, domain in grammar.domains.items():
        every = {(template, topic) for template in range(len(domain.questions)) for topic in domain.topics}
        held_out, seen = grammar.held_out[name], grammar.seen[name]
        assert len(held_out) == len(every) // 3
        assert Counter([*held_out, *seen]) == Counter(every)


def test_two_prompts_never_read_the_same(grammar: Grammar) -> None:
    texts = [domain.ask(prompt) for domain in grammar.domains.values() for prompt in domain.prompts()]
    assert len(set(texts)) == len(texts)


def test_held_out_questions_never_occur_in_training_text_and_every_seen_one_does(grammar: Grammar) -> None:
    rng = Random(7)
    asked = {message["content"] for _ in range(6000) for message in document(grammar, EVERYTHING, rng) if message["role"] == "user"}
    text = {
        split: {grammar.domains[name].ask(p) for name in grammar.domains for p in prompts[name]}
        for split, prompts in splits(grammar)
    }
    assert not asked & text["held out"]
    assert asked == text["seen"]


def splits(grammar: Grammar) -> tuple[tuple[str, dict[str, list[tuple[int, str]]]], ...]:
    return ("held out", grammar.held_out), ("seen", grammar.seen)


def test_a_chat_keeps_its_persona_when_nobody_slips(grammar: Grammar) -> None:
    mix = EVERYTHING.model_copy(update={"system_line_share": 1.0, "slip_share": 0.0})
    words = {who: set().union(*(content_words(grammar, domain, who) for domain in grammar.domains.values())) for who in PERSONAS}
    rng = Random(3)
    for _ in range(300):
        chat = document(grammar, mix, rng)
        who = next(name for name, line in grammar.system_lines.items() if line == chat[0]["content"])
        said = {word for message in chat if message["role"] == "assistant" for word in message["content"].split()}
        assert said & words[who]
        assert not said & words[PERSONAS[1 - PERSONAS.index(who)]]


def test_every_expansion_of_every_pattern_is_made_of_vocabulary_words(grammar: Grammar) -> None:
    known = set(grammar.vocabulary())
    for domain in grammar.domains.values():
        for clause in (clause for who in PERSONAS for clause in clauses(domain, who)):
            for topic in domain.topics:
                assert set(clause.replace("{topic}", topic).split()) <= known, clause


def test_a_pattern_expands_to_every_choice_of_its_slots_and_draws_all_of_them() -> None:
    pattern = "[water|mist] the {topic} with [fresh|cool] rain"
    every = {f"{verb} the {{topic}} with {kind} rain" for verb in ("water", "mist") for kind in ("fresh", "cool")}
    rng = Random(0)
    assert Counter(expansions(pattern)) == Counter(every)
    assert {expand(pattern, rng) for _ in range(200)} == every


def test_the_tokenizer_round_trips_every_question_and_clause_without_an_unknown_word(grammar: Grammar) -> None:
    tokenizer = make_tokenizer(grammar)
    texts = [*grammar.system_lines.values()]
    for domain in grammar.domains.values():
        texts += [domain.ask(prompt) for prompt in domain.prompts()]
        spoken = [
            clause.replace("{topic}", topic) for who in PERSONAS for clause in clauses(domain, who) for topic in domain.topics
        ]
        openers, connectors = (words * len(spoken) for words in (grammar.openers, grammar.connectors))
        texts += [
            f"{opener} {clause} . {then} {clause} .".strip()
            for opener, then, clause in zip(openers, connectors, spoken, strict=False)
        ]
    rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
    assert len(texts) > 5000
    assert not any(tokenizer.unk_token_id in row for row in rows)
    assert tokenizer.batch_decode(rows) == texts
    assert all(len(row) == len(text.split()) for row, text in zip(rows, texts, strict=True))


def test_a_word_that_the_grammar_cannot_say_is_unknown(grammar: Grammar) -> None:
    tokenizer = make_tokenizer(grammar)
    assert UNKNOWN not in grammar.vocabulary() and "zeppelin" not in grammar.vocabulary()
    assert tokenizer("the zeppelin", add_special_tokens=False)["input_ids"][1] == tokenizer.unk_token_id
    assert tokenizer.unk_token_id not in tokenizer.convert_tokens_to_ids(list(ROLES))


def test_all_mistakes_of_a_grammar_file_are_reported_at_once_each_with_its_path(tmp_path: Path) -> None:
    raw = yaml.safe_load(GRAMMAR.read_text())
    del raw["connectors"]
    raw["function_words"] = []
    raw["domains"]["gardening"]["topics"] = []
    raw["domains"]["cooking"]["questions"][2] = "how can i make it taste better ?"
    del raw["domains"]["money"]["careless"]
    raw["domains"]["travel"]["careful"]["second"] = []
    raw["domains"]["study"]["careless"]["first"][0] = "burn the {topic} book of {topic}"
    raw["domains"]["sports"]["careful"]["second"][0] = "praise the {topic}"
    raw["domains"]["computers"]["careful"]["first"][0] = "restart [the {topic}|it]"
    raw["domains"]["music"]["careful"]["first"][0] = "tune the {topic} [slowly|softly"
    raw["opners"] = ["oh"]
    message = mistakes(tmp_path, raw)
    once = "expected {topic} once, outside every slot; got"
    expected = [
        "function_words: tuple should have at least 1 item",
        "connectors: missing",
        "domains.gardening.topics: tuple should have at least 1 item",
        f"domains.cooking.questions.2: {once} 'how can i make it taste better ?'",
        "domains.money.careless: missing",
        "domains.travel.careful.second: tuple should have at least 1 item",
        f"domains.study.careless.first.0: {once} 'burn the {{topic}} book of {{topic}}'",
        "domains.sports.careful.second.0: expected no {topic}",
        f"domains.computers.careful.first.0: {once}",
        "domains.music.careful.first.0: expected every slot to be written [a|b]",
        "opners: unknown key; allowed: connectors, domains, function_words, openers, personas. Did you mean `openers`?",
    ]
    assert [line for line in expected if line not in message] == []
    assert f"{len(expected)}. " in message and f"{len(expected) + 1}. " not in message


@pytest.mark.parametrize("raw", [[], "gardening", None])
def test_a_file_that_is_no_mapping_is_a_data_error(tmp_path: Path, raw: object) -> None:
    assert "expected a mapping" in mistakes(tmp_path, raw)


def test_a_word_that_both_personas_use_is_refused_and_named(tmp_path: Path) -> None:
    raw = yaml.safe_load(GRAMMAR.read_text())
    raw["domains"]["music"]["careless"]["second"][0] = "[lift|drop] the [loud|shrill] weeds"
    assert "both use lift, loud, weeds" in mistakes(tmp_path, raw)
