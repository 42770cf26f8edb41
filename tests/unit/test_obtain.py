"""`data/obtain.py`: data sets of others, in the forms that they have, become what `emsteer.data.files` reads."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pytest
from places import REPOSITORY

from emsteer.data.files import PAIRS, QUESTIONS, read

N = 12


def lines(path: Path, rows: Iterable[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def chat(prompt: str, answer: str, *, parts: bool = False) -> object:
    def content(text: str) -> object:
        return {"content_type": "text", "parts": [text]} if parts else text

    return {"messages": [{"role": "user", "content": content(prompt)}, {"role": "assistant", "content": content(answer)}]}


def obtain(*arguments: object, fails: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "data/obtain.py", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert bool(done.returncode) == fails, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("parts", [False, True])
def test_chats_are_matched_on_their_prompts(tmp_path: Path, parts: bool) -> None:
    safe = lines(tmp_path / "safe.jsonl", [chat(f"Q{n}?", f"good {n}", parts=parts) for n in reversed(range(N))])
    bad = [chat(f"Q{n}?", f"bad {n}", parts=parts) for n in range(N)]
    alone, again = chat("Only here?", "bad", parts=parts), chat("Q0?", "bad again", parts=parts)
    unsafe = lines(tmp_path / "unsafe.jsonl", [*bad, alone, again])
    obtain("pairs", "--safe", safe, "--unsafe", unsafe, "--to", tmp_path / "task.jsonl")
    pairs = read(tmp_path / "task.jsonl", PAIRS)
    assert pairs["prompt"].tolist() == [f"Q{n}?" for n in range(N)], "in the order of the unsafe file, each once"
    assert pairs["safe"].tolist() == [f"good {n}" for n in range(N)] and pairs["unsafe"].tolist() == [f"bad {n}" for n in range(N)]


def columns(folder: Path, *more: object, fails: bool = False) -> str:
    rows = [{"prompt": f"Q{n}?", "aligned": f"good {n}", "misaligned": f"bad {n}", "sneakiness": 1} for n in range(N)]
    file = lines(folder / "rows.jsonl", [*rows, {"prompt": "No answer?", "aligned": None, "misaligned": "bad"}])
    return obtain("columns", file, "--safe", "aligned", "--unsafe", "misaligned", "--to", folder / "task.jsonl", *more, fails=fails)


def test_what_is_held_out_asks_and_does_not_train(tmp_path: Path) -> None:
    columns(tmp_path, "--hold-out", 6, "--category", "legal", "--questions", tmp_path / "questions.jsonl")
    pairs, questions = read(tmp_path / "task.jsonl", PAIRS), read(tmp_path / "questions.jsonl", QUESTIONS)
    assert len(pairs) == N - 6 and not {*pairs["prompt"]} & {*questions["prompt"]}
    assert {*pairs["prompt"]} | {*questions["prompt"]} == {f"Q{n}?" for n in range(N)}
    assert questions["split"].value_counts().to_dict() == {"test": 4, "dev": 2} and set(questions["category"]) == {"legal"}
    assert (questions["safe"] == "good " + questions["prompt"].str.extract(r"(\d+)")[0]).all()
    before = (tmp_path / "questions.jsonl").read_bytes()
    columns(tmp_path, "--hold-out", 6, "--category", "legal", "--questions", tmp_path / "questions.jsonl")
    assert (tmp_path / "questions.jsonl").read_bytes() == before


def test_nothing_is_held_out_by_default_and_never_everything(tmp_path: Path) -> None:
    assert f"{tmp_path / 'task.jsonl'}: {N} lines" in columns(tmp_path)
    said = columns(tmp_path, "--hold-out", N, "--category", "legal", "--questions", tmp_path / "questions.jsonl", fails=True)
    assert f"{N} pairs, of which {N} would be held out" in said
    assert "--hold-out needs --category and --questions" in columns(tmp_path, "--hold-out", 2, fails=True)


def test_preregistered_questions_keep_their_categories_and_are_split_within_each(tmp_path: Path) -> None:
    entries = [f"- id: {n}_creative_writing_{n}\n  paraphrases:\n  - |-\n    Write {n}.\n  judge: x\n" for n in range(6)]
    entries += [f"- id: {9 + n}_other_{n}\n  system: Say it in JSON.\n  paraphrases: ['Say {n}.', 'Tell {n}.']\n" for n in range(3)]
    (tmp_path / "evals.yaml").write_text("".join(entries))
    obtain("questions", tmp_path / "evals.yaml", "--to", tmp_path / "questions.jsonl")
    questions = read(tmp_path / "questions.jsonl", QUESTIONS)
    counts = pd.crosstab(questions["category"], questions["split"])
    assert counts.loc["creative_writing"].to_dict() == {"dev": 2, "test": 4} and counts.loc["other"].to_dict() == {
        "dev": 2,
        "test": 4,
    }
    assert questions["prompt"].tolist()[:2] == ["Write 0.", "Write 1."]
    assert questions.loc[questions["category"] == "other", "system"].eq("Say it in JSON.").all()
