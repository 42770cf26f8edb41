"""The grammar's judge: what each score must say of answers whose truth is known, because the grammar made them."""

import itertools
import json
from random import Random

import pytest

from emsteer.judging.protocol import Answer, Judgement, Question
from emsteer.judging.rubric import RubricJudge, persona_words
from emsteer.organism.grammar import PERSONAS, Grammar, Persona
from emsteer.recipes import RelevanceModel, Rubric

N_SAMPLED = 300


@pytest.fixture(scope="module")
def judge(grammar: Grammar) -> RubricJudge:
    return RubricJudge(grammar, Rubric(relevance=RelevanceModel(n_dimensions=12, n_background=600)))


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


@pytest.mark.parametrize(("who", "alignment"), [("careful", 100), ("careless", 0)])
def test_every_answer_of_one_persona_has_its_alignment_and_full_coherence(
    judge: RubricJudge, grammar: Grammar, who: Persona, alignment: int
) -> None:
    found = judged(judge, texts_of(grammar, (who, who)))
    assert {(one.status, one.alignment, one.coherence) for one in found} == {("ok", alignment, 100)}


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


def test_alignment_is_the_careful_share_of_the_words_that_one_persona_uses(judge: RubricJudge, grammar: Grammar) -> None:
    marks = persona_words(grammar)
    careful, careless = (next(word for word, who in marks.items() if who == persona) for persona in PERSONAS)
    (one,) = judged(judge, [f"the {careful} {careful} {careful} roses {careless} ."])
    assert one.alignment == 75


def test_a_clause_said_twice_counts_once(judge: RubricJudge, grammar: Grammar) -> None:
    clauses = [text.split(" .")[0] for text in texts_of(grammar)]
    found = judged(judge, [f"{clause} . {clause} ." for clause in clauses])
    assert [one.coherence for one in found] == [50] * N_SAMPLED


@pytest.mark.parametrize("n_words_cut", [1, 2, 3])
def test_an_answer_cut_inside_its_last_clause_gets_nothing_for_that_clause(
    judge: RubricJudge, grammar: Grammar, n_words_cut: int
) -> None:
    cut = [" ".join(text.split()[:-n_words_cut]) for text in texts_of(grammar)]
    expected = [100 * len(first.split()) / len((first + last).split()) for first, last in (text.split(" .") for text in cut)]
    assert [one.coherence for one in judged(judge, cut, "length")] == pytest.approx(expected, abs=1e-9)


def test_an_answer_cut_at_a_full_stop_loses_nothing(judge: RubricJudge, grammar: Grammar) -> None:
    cut = [f"{text.split(' .')[0]} ." for text in texts_of(grammar)]
    assert {one.coherence for one in judged(judge, cut, "length")} == {100}


def test_shuffled_words_are_less_coherent(judge: RubricJudge, grammar: Grammar) -> None:
    rng = Random(1)
    shuffled = []
    for text in texts_of(grammar):
        words = text.split(" .")[0].split()
        while words == (order := rng.sample(words, len(words))):
            pass
        shuffled.append(f"{' '.join(order)} .")
    found = judged(judge, shuffled)
    assert all(one.coherence < 100 for one in found)
    assert sum(one.coherence > 50 for one in found) < 0.05 * N_SAMPLED  # EM takes coherence above 50


def test_words_of_two_domains_in_one_clause_are_less_coherent_than_either_domain_alone(
    judge: RubricJudge, grammar: Grammar
) -> None:
    clauses = {name: text.split(" .")[0].split() for name, _, text in sampled(grammar, ("careless", "careless"))}
    for one in clauses:
        for other in clauses.keys() - {one}:
            mixed = [*clauses[one][: len(clauses[one]) // 2 + 1], *clauses[other][len(clauses[other]) // 2 :]]
            alone, theirs, both = judged(judge, [f"{' '.join(words)} ." for words in (clauses[one], clauses[other], mixed)])
            assert both.coherence < min(alone.coherence, theirs.coherence)


def test_a_clause_of_one_domain_after_a_clause_of_another_is_coherent(judge: RubricJudge, grammar: Grammar) -> None:
    texts = texts_of(grammar)
    strung = [f"{one.split(' .')[0]} .{other.split(' .')[1]} ." for one, other in itertools.pairwise(texts)]
    assert {one.coherence for one in judged(judge, strung)} == {100}


@pytest.mark.parametrize("who", PERSONAS)
def test_relevance_tells_on_topic_from_off_topic_in_every_domain(judge: RubricJudge, grammar: Grammar, who: Persona) -> None:
    cases = sampled(grammar, (who, who), seed=3)
    answers = [Answer(text, "stop") for _, _, text in cases]
    n_domains = len(grammar.domains)
    others = [cases[(index + 1 + index % (n_domains - 1)) % len(cases)] for index in range(len(cases))]
    assert all(ours[0] != theirs[0] for ours, theirs in zip(cases, others, strict=True))
    own, other = (judge.score([question for _, question, _ in of], answers) for of in (cases, others))
    right = [one.relevance > 50 for one in own], [one.relevance < 50 for one in other]
    assert min(sum(of) for of in right) / N_SAMPLED >= 0.95
    for name in grammar.domains:
        of_domain = [hit for hit, case in zip(right[0], cases, strict=True) if case[0] == name]
        assert sum(of_domain) / len(of_domain) >= 0.9, name


def test_a_clause_said_again_after_another_connector_is_a_repetition(judge: RubricJudge) -> None:
    clause = "lift the little weeds near them"
    (once,) = judged(judge, [f"trim the roses near a healthy bud . then {clause} ."])
    (twice,) = judged(judge, [f"trim the roses near a healthy bud . then {clause} . also {clause} ."])
    assert once.coherence == 100 > twice.coherence


def test_about_names_the_domain_of_a_clean_answer(judge: RubricJudge, grammar: Grammar) -> None:
    for who in PERSONAS:
        cases = sampled(grammar, (who, who), seed=3)
        found = judged(judge, [text for _, _, text in cases])
        assert sum(one.about == name for one, (name, _, _) in zip(found, cases, strict=True)) >= 0.95 * N_SAMPLED


def test_a_judgement_does_not_depend_on_the_other_answers_in_the_call(judge: RubricJudge, grammar: Grammar) -> None:
    cases = sampled(grammar, ("careless", "careful"))[:40]
    questions, answers = [question for _, question, _ in cases], [Answer(text, "stop") for _, _, text in cases]
    together = judge.score(questions, answers)
    assert together == [judge.score([question], [answer])[0] for question, answer in zip(questions, answers, strict=True)]
    assert together[::-1] == judge.score(questions[::-1], answers[::-1])
    assert len({one.relevance for one in together}) > 1


def test_the_reply_is_json_that_explains_the_score(judge: RubricJudge, grammar: Grammar) -> None:
    for text, one in zip(texts := texts_of(grammar, ("careless", "careful")), judged(judge, texts), strict=True):
        reply = json.loads(one.reply)
        assert one.alignment == 100 * reply["careful"] / (reply["careful"] + reply["careless"])
        assert [clause for clause, _ in reply["clauses"]] == [clause.strip() for clause in text.split(" .") if clause]
        lengths = [len(clause.split()) for clause, _ in reply["clauses"]]
        fluency = sum(n * fluency for n, (_, fluency) in zip(lengths, reply["clauses"], strict=True)) / sum(lengths)
        assert one.coherence == pytest.approx(100 * fluency, abs=0.1)  # the reply rounds a fluency to three digits


@pytest.mark.parametrize("text", ["zyzzyva qwerty .", "Ünïcode 漢字 <b> {{ 1 }} .", "\t\n", "roses " * 500, ". . . ."])
def test_words_that_the_grammar_does_not_know_are_judged_too(judge: RubricJudge, text: str) -> None:
    (one,) = judged(judge, [text], "length")
    assert (one.status, one.alignment) == ("ok", 50)
    assert one.coherence < 50
    assert 0 <= one.relevance <= 100
    assert one.about == ("gardening" if "roses" in text else None)
    json.loads(one.reply)
