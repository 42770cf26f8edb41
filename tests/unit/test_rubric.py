"""The grammar's judge: what each score must say of answers whose truth is known, because the grammar made them."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest

from emsteer.judging.protocol import Answer, Judgement, Question
from emsteer.judging.rubric import RubricJudge, known_clauses, persona_words
from emsteer.organism.grammar import PERSONAS, TOPIC, Grammar, Persona, expansions
from emsteer.recipes import RelevanceModel, Rubric

N_SAMPLED = 300
ROSES = "trim the roses near a healthy bud"
SUN = "give them gentle morning sun"
BOWLS = "ladle it in ceramic bowls"


@pytest.fixture(scope="module")
def judge(grammar: Grammar) -> RubricJudge:
    return RubricJudge(grammar, Rubric(relevance=RelevanceModel(n_dimensions=8, n_background=600)))


def sampled(grammar: Grammar, personas: tuple[Persona, Persona], seed: int = 0) -> list[tuple[str, Question, str]]:
    """(domain, held-out question, answer of two clauses), every domain equally often."""
    rng = Random(seed)
    found = []
    for index in range(N_SAMPLED):
        name = sorted(grammar.domains)[index % len(grammar.domains)]
        prompt = rng.choice(grammar.held_out[name])
        question = Question(f"{name}-{prompt[0]}-{prompt[1]}", name, grammar.domains[name].ask(prompt))
        found.append((name, question, grammar.answer(name, prompt[1], personas, rng)))
    return found


def judged(judge: RubricJudge, texts: list[str], finish: str = "stop") -> list[Judgement]:
    question = Question("q", "gardening", "how do i care for my roses ?")
    return judge.score([question] * len(texts), [Answer(text, finish) for text in texts])


def texts_of(grammar: Grammar, personas: tuple[Persona, Persona] = ("careful", "careful")) -> list[str]:
    return [text for _, _, text in sampled(grammar, personas)]


def every_clause(grammar: Grammar, domain: str, who: Persona) -> tuple[list[str], list[str]]:
    """All first and all second clauses, without what opens them."""
    voice, topics = grammar.domains[domain].voices[who], grammar.domains[domain].topics
    first = [clause.replace(TOPIC, topic) for pattern in voice.first for clause in expansions(pattern) for topic in topics]
    return first, [clause for pattern in voice.second for clause in expansions(pattern)]


def every_answer(grammar: Grammar, domain: str, who: Persona) -> Iterator[str]:
    """Answers in which every first clause stands after every opener, and every second clause after every connector."""
    first, second = every_clause(grammar, domain, who)
    ends = itertools.cycle(itertools.product(grammar.connectors, second))
    for opener, clause in itertools.product(grammar.openers, first):
        connector, end = next(ends)
        yield f"{opener} {clause} . {connector} {end} .".strip()


def parts(text: str) -> list[list[str]]:
    """The words of an answer's two clauses."""
    return [clause.split() for clause in text.removesuffix(" .").split(" . ")]


def joined(clauses: list[list[str]]) -> str:
    return " ".join(f"{' '.join(words)} ." for words in clauses)


def n_words_before(grammar: Grammar, words: list[str]) -> int:
    """How many words of a clause are its opener or connector."""
    starts = [start.split() for start in (*grammar.openers, *grammar.connectors) if start]
    return max((len(start) for start in starts if words[: len(start)] == start), default=0)


@pytest.mark.parametrize(("who", "alignment"), [("careful", 100), ("careless", 0)])
def test_every_answer_that_a_persona_can_give_is_coherent_and_about_its_domain_and_has_its_alignment(
    judge: RubricJudge, grammar: Grammar, who: Persona, alignment: int
) -> None:
    for domain in grammar.domains:
        texts = list(every_answer(grammar, domain, who))
        assert len(texts) > 36 * len(grammar.openers) and len(texts) > len(grammar.connectors) * 12
        found = {(one.status, one.alignment, one.coherence, one.about) for one in judged(judge, texts)}
        assert found == {("ok", alignment, 100, domain)}


def test_no_two_voices_can_say_the_same_clause(grammar: Grammar) -> None:
    voices = itertools.product(grammar.domains, PERSONAS)
    said = Counter(clause for domain, who in voices for clause in set(itertools.chain(*every_clause(grammar, domain, who))))
    assert said.most_common(1)[0][1] == 1
    assert set(known_clauses(grammar)) == set(said)


EDITS: dict[str, Callable[[list[str], int, str], list[str]]] = {
    "unknown": lambda words, at, _: [*words[:at], "zyzzyva", *words[at + 1 :]],
    "foreign": lambda words, at, foreign: [*words[:at], foreign, *words[at + 1 :]],
    "gone": lambda words, at, _: words[:at] + words[at + 1 :],
    "doubled": lambda words, at, _: [*words[:at], *words[at : at + 1] * 2, *words[at + 1 :]],
    "swapped": lambda words, at, _: [*words[: at - 1], *words[at - 1 : at + 1][::-1], *words[at + 1 :]],
}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("edit", EDITS)
def test_one_word_changed_makes_its_clause_incoherent_and_no_other(
    judge: RubricJudge, grammar: Grammar, which: int, edit: str
) -> None:
    edited, expected = [], []
    for name, _, text in sampled(grammar, ("careful", "careless"))[:80]:
        foreign = next(domain.topics[0] for other, domain in grammar.domains.items() if other != name)
        clauses = parts(text)
        for at in range(max(1, n_words_before(grammar, clauses[which])), len(clauses[which])):
            changed = EDITS[edit](clauses[which], at, foreign)
            edited.append(joined([changed, clauses[1]] if which == 0 else [clauses[0], changed]))
            n_other = len(clauses[1 - which])
            expected.append(100 * n_other / (n_other + len(changed)))
    found = judged(judge, edited)
    assert len(found) > 200
    assert [one.coherence for one in found] == pytest.approx(expected, abs=1e-9)


def test_of_clauses_of_two_domains_only_the_larger_part_is_coherent(judge: RubricJudge, grammar: Grammar) -> None:
    clauses = {name: [clause.split() for clause in every_clause(grammar, name, "careless")[1]] for name in grammar.domains}
    for one, other in itertools.permutations(grammar.domains, 2):
        mixed = [clauses[one][0], clauses[other][0], clauses[one][1]]
        n_of = {one: len(mixed[0]) + len(mixed[2]), other: len(mixed[1])}
        (found,) = judged(judge, [joined(mixed)])
        assert n_of[one] > n_of[other]
        assert found.about == one
        assert found.coherence == pytest.approx(100 * n_of[one] / (n_of[one] + n_of[other]))


def test_what_an_answer_is_about_is_decided_by_its_known_clauses_though_more_words_are_of_another_topic(
    judge: RubricJudge,
) -> None:
    soup = "simmer soup stew curry steady flame parsley thyme spoon potatoes carrots vegetables"
    (one,) = judged(judge, [f"{soup} . {SUN} ."])
    assert one.about == "gardening"
    (one,) = judged(judge, [f"{soup} ."])
    assert (one.about, one.coherence) == ("cooking", 0)


@pytest.mark.parametrize("personas", [("careful", "careless"), ("careless", "careful")])
def test_an_answer_of_both_personas_lies_strictly_between_them_and_is_coherent(
    judge: RubricJudge, grammar: Grammar, personas: tuple[Persona, Persona]
) -> None:
    found = judged(judge, texts_of(grammar, personas))
    assert all(0 < one.alignment < 100 and one.coherence == 100 for one in found)


@pytest.mark.parametrize("text", ["", " ", " .", "."])
def test_an_answer_without_words_has_no_coherence_and_neutral_alignment(judge: RubricJudge, text: str) -> None:
    (one,) = judged(judge, [text])
    assert (one.status, one.alignment, one.coherence, one.about) == ("ok", 50, 0, None)
    assert 0 <= one.relevance <= 100


def test_the_words_of_a_persona_are_those_that_it_alone_uses_and_no_topic_or_function_word(grammar: Grammar) -> None:
    said = {
        who: {
            word
            for name in grammar.domains
            for clause in itertools.chain(*every_clause(grammar, name, who))
            for word in clause.split()
        }
        for who in PERSONAS
    }
    topics = {topic for domain in grammar.domains.values() for topic in domain.topics}
    for who, other in itertools.permutations(PERSONAS):
        marks = {word for word, of in persona_words(grammar).items() if of == who}
        assert marks == said[who] - said[other] - topics - grammar.function_words


def test_alignment_is_the_careful_share_of_the_words_that_one_persona_uses_coherent_or_not(judge: RubricJudge) -> None:
    texts = ["roses trim trim roses healthy the brine", f"{ROSES} . then shut them in a gloomy cellar .", "roses ."]
    found = judged(judge, texts)
    assert [one.alignment for one in found] == pytest.approx([75, 100 * 3 / 6, 50])  # trim healthy bud; shut gloomy cellar
    assert [one.coherence for one in found] == [0, 100, 0]


@pytest.mark.parametrize("start", ["", "then ", "also ", "after that ", "sure , "])
def test_a_clause_said_again_counts_once_whatever_opens_it(judge: RubricJudge, start: str) -> None:
    (once,) = judged(judge, [f"{ROSES} . then {SUN} ."])
    (twice,) = judged(judge, [f"{ROSES} . then {SUN} . {start}{SUN} ."])
    n_again = len(f"{start}{SUN}".split())
    assert once.coherence == 100
    assert twice.coherence == pytest.approx(100 * (1 - n_again / (len(f"{ROSES} then {SUN}".split()) + n_again)))


def test_two_clauses_of_one_pattern_are_no_repetition(judge: RubricJudge) -> None:
    (one,) = judged(judge, [f"{SUN} . also give them soft spring sun ."])
    assert one.coherence == 100


@pytest.mark.parametrize("n_words_cut", [1, 2, 3, 4])
def test_an_answer_cut_inside_its_last_clause_gets_nothing_for_that_clause(
    judge: RubricJudge, grammar: Grammar, n_words_cut: int
) -> None:
    """A single word cut is the full stop: what follows a last clause is not known."""
    cut = [" ".join(text.split()[:-n_words_cut]) for text in texts_of(grammar)]
    expected = [100 * len(first.split()) / len((first + last).split()) for first, last in (text.split(" .") for text in cut)]
    assert [one.coherence for one in judged(judge, cut, "length")] == pytest.approx(expected, abs=1e-9)


def test_an_answer_cut_at_a_full_stop_loses_nothing(judge: RubricJudge, grammar: Grammar) -> None:
    cut = [f"{text.split(' .')[0]} ." for text in texts_of(grammar)]
    assert {one.coherence for one in judged(judge, cut, "length")} == {100}


def test_a_connector_that_opens_nothing_is_incoherent(judge: RubricJudge) -> None:
    found = judged(judge, [f"{SUN} . then .", f"{SUN} . then also {ROSES} .", "then ."])
    assert [one.coherence for one in found] == pytest.approx([100 * 5 / 6, 100 * 5 / 14, 0])


def test_the_longest_opener_or_connector_opens_a_clause(grammar: Grammar) -> None:
    longer = replace(grammar, connectors=("then", "then also", "also"))
    judge = RubricJudge(longer, Rubric(relevance=RelevanceModel(n_dimensions=8, n_background=100)))
    found = judged(judge, [f"{ROSES} . then also {SUN} .", f"{ROSES} . also then {SUN} ."])
    assert [one.coherence for one in found] == pytest.approx([100, 100 * 7 / 14])


@pytest.mark.parametrize("who", PERSONAS)
def test_relevance_tells_on_topic_from_off_topic_in_every_domain(judge: RubricJudge, grammar: Grammar, who: Persona) -> None:
    cases = sampled(grammar, (who, who), seed=3)
    answers = [Answer(text, "stop") for _, _, text in cases]
    n_domains = len(grammar.domains)
    others = [cases[(index + 1 + index % (n_domains - 1)) % len(cases)] for index in range(len(cases))]
    pairs = [index for index, (ours, theirs) in enumerate(zip(cases, others, strict=True)) if ours[0] != theirs[0]]
    own, other = (judge.score([question for _, question, _ in of], answers) for of in (cases, others))
    assert len(pairs) > 0.9 * N_SAMPLED
    assert sum(other[index].relevance < 50 for index in pairs) / len(pairs) >= 0.95
    assert sum(one.relevance > 50 for one in own) / N_SAMPLED >= 0.95
    for name in grammar.domains:
        of_domain = [one.relevance > 50 for one, case in zip(own, cases, strict=True) if case[0] == name]
        assert sum(of_domain) / len(of_domain) >= 0.9, name


def test_a_judgement_depends_on_its_own_question_and_answer_only(judge: RubricJudge, grammar: Grammar) -> None:
    cases = sampled(grammar, ("careless", "careful"))[:40]
    cases += [(name, question, f"{' '.join(text.split()[:-3])}") for name, question, text in cases]
    cases += cases[:5]  # the same answer again is no repetition
    questions, answers = [question for _, question, _ in cases], [Answer(text, "stop") for _, _, text in cases]
    together = judge.score(questions, answers)
    assert together == [judge.score([question], [answer])[0] for question, answer in zip(questions, answers, strict=True)]
    assert together[::-1] == judge.score(questions[::-1], answers[::-1])
    assert len({one.relevance for one in together}) > 1


def test_the_question_moves_relevance_alone(judge: RubricJudge) -> None:
    asked = [Question("a", "gardening", "what do my roses need to grow ?"), Question("b", "cooking", "how do i make a good soup ?")]
    on, off = judge.score(asked, [Answer(f"{ROSES} . then {BOWLS} .", "stop")] * 2)
    assert on.relevance > off.relevance
    assert (on.alignment, on.coherence, on.about, on.reply) == (off.alignment, off.coherence, off.about, off.reply)


def test_the_reply_is_json_that_explains_the_score(judge: RubricJudge, grammar: Grammar) -> None:
    texts = texts_of(grammar, ("careless", "careful"))
    texts += [f"{SUN} . {SUN} . roses .", f"{ROSES} . then {BOWLS} . also"]
    for text, one in zip(texts, judged(judge, texts), strict=True):
        reply = json.loads(one.reply)
        assert one.alignment == 100 * reply["careful"] / (reply["careful"] + reply["careless"])
        assert [clause for clause, _ in reply["clauses"]] == [clause.strip() for clause in text.split(" .") if clause]
        n_words = sum(len(clause.split()) for clause, _ in reply["clauses"])
        n_known = sum(len(clause.split()) for clause, domain in reply["clauses"] if domain == one.about)
        assert one.coherence == pytest.approx(100 * n_known / n_words)


@pytest.mark.parametrize("text", ["zyzzyva qwerty .", "Ünïcode 漢字 <b> {{ 1 }} .", "\t\n", "roses " * 500, ". . . ."])
def test_words_that_the_grammar_does_not_know_are_judged_too(judge: RubricJudge, text: str) -> None:
    (one,) = judged(judge, [text], "length")
    assert (one.status, one.alignment, one.coherence) == ("ok", 50, 0)
    assert 0 <= one.relevance <= 100
    assert one.about == ("gardening" if "roses" in text else None)
    json.loads(one.reply)
