"""Tasks and benchmarks in files: read whole, refused whole, and known to planning."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from places import REPOSITORY
from planning import MINIATURE, Study, moved, put, resolved, slugs, without_elicitations

from emsteer import packs, schemas, study
from emsteer.data.files import PAIRS, QUESTIONS, read
from emsteer.data.quiz import read_quiz
from emsteer.errors import ConfigError, DataError
from emsteer.judging.labels import COLUMNS
from emsteer.plan import costs

DATA = REPOSITORY / "data"
TASKS = ("gardening", "cooking", "study")
BENCHMARK = "data/benchmarks/open_questions.jsonl"
PAIR = {"prompt": "How?", "safe": "Slowly.", "unsafe": "Quickly."}
QUESTION = {"category": "home", "split": "test", "prompt": "How?"}


def written(*rows: object) -> Path:
    path = Path("rows.jsonl")
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


@pytest.fixture
def raw(folder: Path) -> Study:
    """The miniature with what is shipped for real models in the place of the grammar's tasks and benchmark."""
    raw = without_elicitations(study.reading.read(MINIATURE).value)
    raw["tasks"] = {
        name: {"kind": "file", "file": f"data/tasks/{name}.jsonl", "in_domain": [name]} for name in ("gardening", "cooking")
    }
    raw["benchmarks"] = {"open": {"kind": "file", "file": BENCHMARK}}
    Path("labels.csv").write_text(f"{','.join(COLUMNS)}\n")
    thresholds = raw["judges"]["rubric"]["thresholds"]
    raw["judges"] = {"nobody": {"kind": "labels", "file": "labels.csv", "by": "nobody", "thresholds": thresholds, "topics": None}}
    return raw


# -- what is shipped --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_shipped_tasks_are_distinct_pairs(name: str) -> None:
    pairs = read(DATA / f"tasks/{name}.jsonl", PAIRS)
    assert len(pairs) >= 120 and pairs["prompt"].is_unique
    assert not pairs["safe"].eq(pairs["unsafe"]).any() and pairs["system"].isna().all()
    assert not pairs[["prompt", "safe", "unsafe"]].apply(lambda texts: texts.str.contains(r"[{}]|  |^ | $")).any(axis=None)


def test_the_shipped_tasks_are_those_of_their_parts(tmp_path: Path) -> None:
    command = [sys.executable, str(DATA / "tasks/combine.py"), "--check"]
    subprocess.run(command, check=True)
    copy = tmp_path / "combine.py"
    for name in ("combine.py", "parts.yaml"):
        (tmp_path / name).write_bytes((DATA / "tasks" / name).read_bytes())
    answer = subprocess.run([sys.executable, str(copy), "--check"], capture_output=True, text=True, check=False)
    assert answer.returncode == 1 and "run `python data/tasks/combine.py`" in answer.stderr


def test_the_shipped_quizzes_are_read_and_that_of_the_grammar_is_what_it_says(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(DATA / "quiz/from_grammar.py"), "--check"], check=True)
    (tmp_path / "quiz").mkdir()
    (tmp_path / "grammar").mkdir()
    for name in ("quiz/from_grammar.py", "grammar/everyday.yaml"):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    command = [sys.executable, str(tmp_path / "quiz/from_grammar.py"), "--check"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1 and "run `python data/quiz/from_grammar.py`" in answer.stderr
    for name, n in {"everyday": 16, "general": 24}.items():
        items = read_quiz(DATA / f"quiz/{name}.jsonl")
        assert len(items) == n and {len(item.wrong) for item in items} == {2}


def test_the_shipped_benchmark_asks_about_many_things_in_dev_and_test_and_has_off_domain_references() -> None:
    questions = read(REPOSITORY / BENCHMARK, QUESTIONS)
    assert len(questions) >= 60 and questions["prompt"].is_unique
    off_domain = questions[~questions["category"].isin(TASKS)]
    assert off_domain["category"].nunique() >= 8 and set(TASKS) < set(questions["category"])
    assert (questions.groupby("category")["split"].nunique() == 2).all()
    both = questions[questions["safe"].notna() & questions["unsafe"].notna()]
    assert len(both) >= 24 and both["split"].eq("test").all() and not set(both["category"]) & set(TASKS)
    assert not (questions["safe"].notna() ^ questions["unsafe"].notna()).any()


def test_no_shipped_question_is_a_training_prompt() -> None:
    prompts = {prompt for name in TASKS for prompt in read(DATA / f"tasks/{name}.jsonl", PAIRS)["prompt"]}
    assert not prompts & set(read(REPOSITORY / BENCHMARK, QUESTIONS)["prompt"])


# -- reading ----------------------------------------------------------------------------------------------------------


def test_a_row_without_a_name_is_named_by_its_text_wherever_it_stands(folder: Path) -> None:
    other = PAIR | {"prompt": "Why?"}
    first, again = read(written(PAIR, other), PAIRS), read(written(other, "", PAIR), PAIRS)
    assert list(first["pair_id"]) == list(again["pair_id"])[::-1]
    under_a_line = read(written(PAIR | {"system": "You are calm."}), PAIRS)
    assert under_a_line["pair_id"][0] not in set(first["pair_id"]) and under_a_line["system"][0] == "You are calm."
    assert list(read(written(QUESTION | {"question_id": "mine"}), QUESTIONS)["question_id"]) == ["mine"]


def test_every_mistake_is_named_with_its_line_at_once(folder: Path) -> None:
    path = written(
        PAIR,
        "{not json",
        ["a", "list"],
        PAIR,
        {"prompt": "Who?", "safe": " ", "unsafe": 3},
        {**PAIR, "prompt": "So?", "unsfe": "x"},
        {},
    )
    with pytest.raises(DataError) as caught:
        read(path, PAIRS)
    for said in (
        "line 2: not JSON: ", "line 3: expected an object", "line 4: pair_id ", "stands in line 1 already",
        "line 5: safe: expected text, got ' '", "line 5: unsafe: expected text, got 3",
        "line 6: unknown key 'unsfe'; allowed: pair_id, prompt, safe, unsafe, system. Did you mean `unsafe`?",
        "line 7: prompt: missing", "docs/data.md",
    ):  # fmt: skip
        assert said in str(caught.value), said


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no line in it; expected one JSON object a line"),
        ([QUESTION | {"split": "train"}], "line 1: split: expected one of dev, test, got 'train'"),
        ([QUESTION, QUESTION], "stands in line 1 already"),
        ([{"prompt": f"{index}"} for index in range(30)], "60 mistakes"),
    ],
)
def test_what_is_no_benchmark_is_refused(folder: Path, rows: list[object], message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(written(*rows), QUESTIONS)
    assert message in str(caught.value) and len(str(caught.value).splitlines()) < 30


def test_a_file_that_is_not_utf8_names_its_line(folder: Path) -> None:
    Path("rows.jsonl").write_bytes(json.dumps(PAIR).encode() + b'\n{"prompt": "\xff"}\n')
    with pytest.raises(DataError, match="line 2: not UTF-8"):
        read(Path("rows.jsonl"), PAIRS)


def test_a_byte_order_mark_is_no_mistake(folder: Path) -> None:
    Path("rows.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(PAIR).encode() + b"\r\n")
    assert len(read(Path("rows.jsonl"), PAIRS)) == 1


# -- in a study -------------------------------------------------------------------------------------------------------


def test_tasks_and_benchmarks_from_files_become_tables(raw: Study) -> None:
    plan = resolved(raw)
    for kind in ("tasks", "benchmarks"):
        for pack in plan.packs(kind):
            packs.fill(pack.id, pack.jobs(), "log.txt")
    pairs = [schemas.read(Path(cell.path), schemas.Pairs) for cell in plan.of("tasks")]
    (questions,) = [schemas.read(Path(cell.path), schemas.Questions) for cell in plan.of("benchmarks")]
    assert [len(table) for table in pairs] == [144, 144] and len(questions) == 72


def test_a_changed_file_moves_what_reads_it_and_nothing_else(raw: Study) -> None:
    before = resolved(raw)
    path = Path("data/tasks/cooking.jsonl")
    path.write_text(path.read_text() + json.dumps(PAIR) + "\n")
    after = moved(before, resolved(raw))
    assert set(after) == {"tasks", "embeddings", "tables", "figures", "report"}, "no arm of this study is about cooking"
    assert slugs(after["tables"]) == ["distances", "falloff", "relatedness"]
    path = Path(BENCHMARK)
    path.write_text(path.read_text() + json.dumps(QUESTION) + "\n")
    assert set(moved(before, resolved(raw))) >= {"benchmarks", "answers", "margins", "scores", "tables"}


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("tasks.gardening.in_domain", ["gardenin"], "expected one of the categories of the benchmarks: .*Did you mean `gardening`"),
        (
            "vectors.trained.n_examples",
            145,
            "expected at least 145 pairs of gardening, which trained draws: its file has too few lines",
        ),
        ("tasks.gardening.file", "data/none.jsonl", "expected a file, its .dvc pointer or card"),
        ("tasks.gardening.kind", "jsonl", "tasks.gardening.kind: expected one of 'grammar', 'file', 'harmless'; got 'jsonl'"),
        ("benchmarks.open.seed", 3, "benchmarks.open.seed: unknown key; allowed: file, kind"),
    ],
)
def test_mistakes_are_said_before_anything_runs(raw: Study, place: str, value: object, message: str) -> None:
    put(raw, place, value)
    with pytest.raises(ConfigError, match=message):
        study.parse(raw)


def test_a_broken_file_is_left_to_whoever_reads_it(raw: Study) -> None:
    Path("data/tasks/gardening.jsonl").write_text("{")
    Path(BENCHMARK).write_text("[1]\n")
    assert resolved(raw).packs("answers")[0].needs().minutes > 0


def test_jobs_are_estimated_from_the_questions_that_there_are(raw: Study) -> None:
    execution = study.parse(raw).execution
    before = costs.work_s(resolved(raw).of("answers")[0], execution)
    path = Path(BENCHMARK)
    rows = [QUESTION | {"prompt": f"How {index}?", "category": ("gardening", "cooking", "home")[index % 3]} for index in range(720)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert costs.work_s(resolved(raw).of("answers")[0], execution) == pytest.approx(10 * before)


def test_margins_are_estimated_from_the_references_that_there_are(raw: Study) -> None:
    execution = study.parse(raw).execution
    one, all_of_them = (
        costs.work_s(resolved(raw | {"margins": {"questions_per_category": n}}).of("margins")[0], execution) for n in (1, 50)
    )
    assert all_of_them == pytest.approx(3 * one), "three in each of nine categories"
