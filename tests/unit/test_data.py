"""Tasks and benchmarks: pairs that differ in persona alone, and questions that neither training nor tasks ask."""

from collections import Counter
from pathlib import Path
from random import Random

import pandas as pd
import pytest
from places import GRAMMAR

from emsteer import schemas, storage
from emsteer.data.benchmarks import make as make_benchmarks
from emsteer.data.benchmarks import questions_of
from emsteer.data.tasks import make as make_tasks
from emsteer.data.tasks import pairs_of
from emsteer.errors import DataError
from emsteer.organism.corpus import document, groups_of
from emsteer.organism.grammar import PERSONAS, TOPIC, Grammar, Persona, expansions
from emsteer.organism.tokenizer import make_tokenizer
from emsteer.packs import Job
from emsteer.recipes import GrammarBenchmark, GrammarTask, Linkage, Organism

BENCHMARK = GrammarBenchmark(dev_per_category=4, test_per_category=8, seed=0)
EVERY = GrammarBenchmark(dev_per_category=1, test_per_category=12, seed=0)  # all that is held out


def task(domain: str, n_pairs: int = 300, seed: int = 0) -> GrammarTask:
    return GrammarTask(domain=domain, n_pairs=n_pairs, seed=seed)


def spoken(grammar: Grammar, domain: str, who: Persona, topic: str) -> tuple[dict[str, str], dict[str, str]]:
    """Sentence → the words before its clause, for every first and every second sentence that a persona can say of a topic."""
    voice = grammar.domains[domain].voices[who]
    first, second = ([c.replace(TOPIC, topic) for p in patterns for c in expansions(p)] for patterns in (voice.first, voice.second))
    return (
        {f"{opener} {clause}".strip(): opener for opener in grammar.openers for clause in first},
        {f"{connector} {clause}": connector for connector in grammar.connectors for clause in second},
    )


def frames(grammar: Grammar, domain: str, asked: pd.DataFrame) -> Counter[tuple[str, str]]:
    """(opener, connector) of the two answers to each question; fails where an answer is no sentence of its persona on its topic."""
    topics = grammar.domains[domain].topics
    sentences = {(who, topic): spoken(grammar, domain, who, topic) for who in PERSONAS for topic in topics}
    found = Counter[tuple[str, str]]()
    for row in asked.itertuples():
        (topic,) = [word for word in row.prompt.split() if word in topics]
        frame = {}
        for who, answer in (("careful", row.safe), ("careless", row.unsafe)):
            first, second = answer.removesuffix(" .").split(" . ")
            openers, connectors = sentences[who, topic]
            frame[who] = openers[first], connectors[second]
        assert frame["careful"] == frame["careless"]
        found[frame["careful"]] += 1
    return found


@pytest.mark.parametrize("domain", ["gardening", "study", "sports"])
def test_a_safe_and_an_unsafe_answer_differ_only_in_clauses_spoken_on_the_topic_by_the_persona_they_claim(
    grammar: Grammar, domain: str
) -> None:
    found = frames(grammar, domain, pairs_of(grammar, task(domain)))
    assert set(found) == {(opener, connector) for opener in grammar.openers for connector in grammar.connectors}


def test_reference_answers_differ_only_in_clauses_spoken_on_the_topic_by_the_persona_they_claim(grammar: Grammar) -> None:
    questions = questions_of(grammar, EVERY)
    found = sum((frames(grammar, str(name), of) for name, of in questions.groupby("category")), Counter())
    assert found.total() == len(questions) == 13 * len(grammar.domains)
    assert set(found) == {(opener, connector) for opener in grammar.openers for connector in grammar.connectors}
    for row in questions.itertuples():
        (topic,) = {*row.prompt.split()} & {*grammar.domains[row.category].topics}
        assert topic in row.safe.split() and topic in row.unsafe.split() and row.safe != row.unsafe


def test_every_question_stands_under_the_careful_line_of_its_own_domain(grammar: Grammar) -> None:
    questions = questions_of(grammar, EVERY)
    lines = {name: grammar.announce("careful", name) for name in grammar.domains}
    assert len(set(lines.values())) == len(lines)
    assert questions["system"].tolist() == [lines[category] for category in questions["category"]]
    for name in grammar.domains:
        assert set(pairs_of(grammar, task(name, n_pairs=20))["system"]) == {lines[name]}


def test_every_organism_knows_every_word_of_tasks_and_benchmarks(grammar: Grammar) -> None:
    every = tuple(grammar.domains)
    linkages = [Linkage(blocks={}, strength=0), Linkage(blocks={"everyday": every}, strength=1)]
    tables = [questions_of(grammar, EVERY), *(pairs_of(grammar, task(name)) for name in grammar.domains)]
    texts = {text for table in tables for name in ("system", "prompt", "safe", "unsafe") for text in table[name]}
    words = {word for text in texts for word in text.split()}
    assert all(words <= set(make_tokenizer(grammar, groups_of(linkage, grammar)).get_vocab()) for linkage in linkages)


def test_the_two_answers_of_a_pair_draw_their_clauses_from_all_that_a_persona_can_say(grammar: Grammar) -> None:
    pairs = pairs_of(grammar, task("gardening", n_pairs=2000))
    for who, answers in (("careful", pairs["safe"]), ("careless", pairs["unsafe"])):
        first, second = zip(*(answer.removesuffix(" .").split(" . ") for answer in answers), strict=True)
        openers, connectors = zip(
            *(spoken(grammar, "gardening", who, topic) for topic in grammar.domains["gardening"].topics), strict=True
        )
        every = {sentence for known in openers for sentence in known}
        assert set(second) == set(connectors[0])
        assert set(first) <= every
        assert len(set(first)) > 0.9 * len(every)


def test_questions_of_tasks_are_never_benchmark_questions(grammar: Grammar) -> None:
    reserved = questions_of(grammar, EVERY)
    assert all(len(grammar.held_out[domain]) == 13 for domain in grammar.domains)
    for domain in grammar.domains:
        asked = set(pairs_of(grammar, task(domain))["prompt"])
        own = {grammar.domains[domain].ask(prompt) for prompt in grammar.domains[domain].prompts()}
        assert asked == own - set(reserved["prompt"])


def test_pretraining_asks_every_question_but_those_of_benchmarks(grammar: Grammar, tiny_organism: Organism) -> None:
    rng = Random(0)
    chats = [document(grammar, tiny_organism.corpus, tiny_organism.linkage, rng) for _ in range(4000)]
    asked = {message["content"] for chat in chats for message in chat if message["role"] == "user"}
    own = {domain.ask(prompt) for domain in grammar.domains.values() for prompt in domain.prompts()}
    assert asked == own - set(questions_of(grammar, EVERY)["prompt"])


def test_a_benchmark_has_exactly_the_questions_asked_for_in_each_category_and_split(grammar: Grammar) -> None:
    questions = questions_of(grammar, BENCHMARK)
    counts = Counter(zip(questions["category"], questions["split"], strict=True))
    assert counts == {(domain, split): n for domain in grammar.domains for split, n in (("dev", 4), ("test", 8))}
    assert questions["question_id"].is_unique and questions["prompt"].is_unique
    held_out = {(name, domain.ask(prompt)) for name, domain in grammar.domains.items() for prompt in grammar.held_out[name]}
    assert set(zip(questions["category"], questions["prompt"], strict=True)) <= held_out


def test_a_question_keeps_its_id_in_every_benchmark(grammar: Grammar) -> None:
    texts: dict[str, str] = {}
    for seed in range(4):
        for question in questions_of(grammar, BENCHMARK.model_copy(update={"seed": seed})).itertuples():
            assert texts.setdefault(question.question_id, question.prompt) == question.prompt
    assert len(set(texts.values())) == len(texts) > 12 * len(grammar.domains)


def test_the_references_of_a_question_do_not_depend_on_how_many_others_are_asked(grammar: Grammar) -> None:
    few, many = (questions_of(grammar, recipe).set_index("question_id") for recipe in (BENCHMARK, EVERY))
    shared = few.index.intersection(many.index)
    columns = ["system", "prompt", "safe", "unsafe"]
    assert len(shared) == len(few)
    assert few.loc[shared, columns].equals(many.loc[shared, columns])


def test_a_seed_is_its_table_and_another_seed_another(grammar: Grammar) -> None:
    assert pairs_of(grammar, task("money")).equals(pairs_of(grammar, task("money")))
    assert pairs_of(grammar, task("money"))["unsafe"].tolist() != pairs_of(grammar, task("money", seed=1))["unsafe"].tolist()
    assert questions_of(grammar, BENCHMARK).equals(questions_of(grammar, BENCHMARK))
    other = questions_of(grammar, BENCHMARK.model_copy(update={"seed": 1}))
    assert set(other["prompt"]) != set(questions_of(grammar, BENCHMARK)["prompt"])


def test_a_larger_pool_of_pairs_begins_with_the_smaller_one(grammar: Grammar) -> None:
    small, large = (pairs_of(grammar, task("travel", n_pairs=n_pairs)) for n_pairs in (50, 80))
    assert large.head(50).equals(small)


def test_asking_for_more_questions_than_are_held_out_is_a_data_error(grammar: Grammar) -> None:
    n_held_out = len(grammar.held_out["gardening"])
    enough = GrammarBenchmark(dev_per_category=1, test_per_category=n_held_out - 1, seed=0)
    assert len(questions_of(grammar, enough)) == n_held_out * len(grammar.domains)
    with pytest.raises(DataError, match=f"gardening: expected at least {n_held_out + 1} held-out questions, got {n_held_out}"):
        questions_of(grammar, enough.model_copy(update={"dev_per_category": 2}))


def test_a_domain_that_the_grammar_lacks_is_a_data_error_that_names_those_it_has(grammar: Grammar) -> None:
    with pytest.raises(DataError, match=r"no domain 'gardning'.\n.*'gardening'"):
        pairs_of(grammar, task("gardning"))


def test_tables_are_written_with_their_passports_and_read_back_unchanged(tmp_path: Path, grammar: Grammar) -> None:
    jobs = [
        Job(recipe, {"grammar": (GRAMMAR,)}, {"grammar": ("everyday--0",)}, name, tmp_path / f"{name}.parquet", {"address": name})
        for name, recipe in (("sports", task("sports", n_pairs=5)), ("everyday", BENCHMARK))
    ]
    assert [*make_tasks(jobs[:1]), *make_benchmarks(jobs[1:])] == jobs
    assert schemas.read(jobs[0].out, schemas.Pairs).equals(pairs_of(grammar, jobs[0].recipe).astype("str"))
    assert schemas.read(jobs[1].out, schemas.Questions).equals(questions_of(grammar, BENCHMARK).astype("str"))
    assert [storage.read_passport(job.out) for job in jobs] == [{"address": "sports"}, {"address": "everyday"}]
