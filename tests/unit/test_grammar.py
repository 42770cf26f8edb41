"""The grammar: which words tie two domains or two personas together, and what is kept from training text."""

from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from places import GRAMMAR

from emsteer.errors import DataError
from emsteer.organism.grammar import PERSONAS, Domain, Grammar, Persona, expand, expansions, read_grammar
from emsteer.organism.tokenizer import ROLES, UNKNOWN, make_tokenizer

GROUPS = ["everyday"]


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


def test_the_questions_kept_back_are_the_same_whatever_other_domains_there_are(grammar: Grammar) -> None:
    fewer = replace(grammar, domains={"money": grammar.domains["money"], "cooking": grammar.domains["cooking"]})
    assert fewer.held_out == {name: grammar.held_out[name] for name in ("money", "cooking")}


def test_a_system_line_names_the_persona_and_the_group_in_one_word_of_their_own(grammar: Grammar) -> None:
    lines = {(who, group): grammar.announce(who, group) for who in PERSONAS for group in ("everyday", *grammar.domains)}
    words = {key: set(line.split()) for key, line in lines.items()}
    common = set.intersection(*words.values())
    own = {key: of - common for key, of in words.items()}
    assert all(len(of) == 1 for of in own.values())
    assert len(set.union(*own.values())) == len(lines), "no two lines share it, so no word connects two domains"
    assert own["careless", "everyday"] == {"careless-everyday"}


def test_both_answers_of_a_pair_differ_in_their_clauses_only(grammar: Grammar) -> None:
    for seed in range(50):
        careful, careless = grammar.both_answers("gardening", "roses", str(seed))
        words = [start for start in (*grammar.openers, *grammar.connectors) if start]
        said = [[word for word in words if f"{word} " in text] for text in (careful, careless)]
        assert said[0] == said[1]
        assert "roses" in careful and "roses" in careless
        domain = grammar.domains["gardening"]
        assert not set(careful.split()) & content_words(grammar, domain, "careless")
        assert not set(careless.split()) & content_words(grammar, domain, "careful")


def test_every_expansion_of_every_pattern_is_made_of_vocabulary_words(grammar: Grammar) -> None:
    known = set(grammar.vocabulary(GROUPS))
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
    tokenizer = make_tokenizer(grammar, GROUPS)
    texts = [grammar.announce(who, group) for who in PERSONAS for group in GROUPS]
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
    assert len(texts) > 3000
    assert not any(tokenizer.unk_token_id in row for row in rows)
    assert tokenizer.batch_decode(rows) == texts
    assert all(len(row) == len(text.split()) for row, text in zip(rows, texts, strict=True))


def test_a_word_that_the_grammar_cannot_say_is_unknown(grammar: Grammar) -> None:
    tokenizer = make_tokenizer(grammar, GROUPS)
    assert UNKNOWN not in grammar.vocabulary(GROUPS) and "zeppelin" not in grammar.vocabulary(GROUPS)
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
    raw["domains"]["woodwork"]["careful"]["first"][0] = "restart [the {topic}|it]"
    raw["domains"]["cleaning"]["careful"]["first"][0] = "tune the {topic} [slowly|softly"
    raw["system_line"] = "you are {persona}."
    raw["opners"] = ["oh"]
    message = mistakes(tmp_path, raw)
    once = "expected {topic} once, outside every slot; got"
    expected = [
        "function_words: expected at least 1 entry",
        "connectors: missing",
        "domains.gardening.topics: expected at least 1 entry",
        f"domains.cooking.questions.2: {once} 'how can i make it taste better ?'",
        "domains.money.careless: missing",
        "domains.travel.careful.second: expected at least 1 entry",
        f"domains.study.careless.first.0: {once} 'burn the {{topic}} book of {{topic}}'",
        "domains.sports.careful.second.0: expected no {topic}",
        f"domains.woodwork.careful.first.0: {once}",
        "domains.cleaning.careful.first.0: expected every slot to be written [a|b]",
        "system_line: expected {persona} once, as a word of its own; got 'you are {persona}.'",
        "opners: unknown key; allowed: connectors, domains, function_words, openers, system_line. Did you mean `openers`?",
    ]
    assert [line for line in expected if line not in message] == []
    assert f"{len(expected)}. " in message and f"{len(expected) + 1}. " not in message


@pytest.mark.parametrize("raw", [[], "gardening", None])
def test_a_file_that_is_no_mapping_is_a_data_error(tmp_path: Path, raw: object) -> None:
    assert "expected a mapping" in mistakes(tmp_path, raw)


def test_a_word_that_both_personas_use_is_refused_and_named(tmp_path: Path) -> None:
    raw = yaml.safe_load(GRAMMAR.read_text())
    raw["domains"]["cleaning"]["careless"]["second"][0] = "[lift|drop] the [slugs|shrill] weeds"
    assert "both use lift, slugs, weeds" in mistakes(tmp_path, raw)
