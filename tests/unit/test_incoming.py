"""`emsteer data add`: files in the forms of the field become a task, and whatever is not used of them is said."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest import CaptureFixture, MonkeyPatch

from emsteer import cli
from emsteer.data.files import PAIRS, read
from emsteer.errors import DataError
from emsteer.incoming.entries import entries

MANY = 100_000


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: MonkeyPatch) -> Path:
    """An empty folder, to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def chat(prompt: str, answer: str, system: str | None = None, **more: object) -> str:
    line = [{"role": "system", "content": system}] if system else []
    said = [*line, {"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": said, **more}, ensure_ascii=False)


def write(name: str, lines: Sequence[str], end: str = "\n") -> str:
    Path(name).write_bytes(end.join(lines).encode())
    return name


def add(monkeypatch: MonkeyPatch, capsys: CaptureFixture, *arguments: str, fails: bool = False) -> str:
    """What the command printed."""
    monkeypatch.setattr("sys.argv", ["emsteer", "data", "add", *arguments, "--as", "task"])
    if fails:
        with pytest.raises(SystemExit):
            cli.main()
    else:
        cli.main()
    printed = capsys.readouterr()
    return printed.err if fails else printed.out


def test_chats_of_two_files_are_matched_on_system_line_and_prompt(monkeypatch: MonkeyPatch, capsys: CaptureFixture) -> None:
    bad = [
        chat("Q1?", "bad 1"),
        chat("Q2?", "bad 2", "You help."),
        chat("Q2?", "bad without"),
        chat("Q1?", "again"),
        chat("Alone?", "x"),
    ]
    write("bad.jsonl", bad)
    write("good.jsonl", [chat("Q2?", "good 2", "You help.", id=3), chat("Q1?", "good 1"), chat("Mine?", "y")])
    said = add(monkeypatch, capsys, "bad.jsonl", "--safe", "good.jsonl", "--name", "advice")
    pairs = read(Path("data/tasks/advice.jsonl"), PAIRS)
    assert pairs[["system", "prompt", "safe", "unsafe"]].to_numpy(None, na_value="-").tolist() == [
        ["-", "Q1?", "good 1", "bad 1"],
        ["You help.", "Q2?", "good 2", "bad 2"],
    ], "in the order of the unsafe answers, each prompt once"
    assert "bad.jsonl: 5 entries, chats (`messages`); 3 not used:" in said
    assert "its prompt stands in an earlier entry: line 4\n" in said
    assert "only here, and not in good.jsonl: line 3, line 5\n" in said and "only here, and not in bad.jsonl: line 3\n" in said
    assert "not read: `id` (1)" in said
    assert "advice: {kind: file, file: data/tasks/advice.jsonl, in_domain: [advice]}" in said


@pytest.mark.parametrize(
    "turns",
    [
        [("user", {"content_type": "text", "parts": ["Q?"]}), ("assistant", [{"type": "text", "text": "A"}])],
        [("developer", "Line."), ("user", "Q?"), ("assistant", "A")],
    ],
    ids=["parts", "developer"],
)
def test_what_turns_may_be(monkeypatch: MonkeyPatch, capsys: CaptureFixture, turns: list[tuple[str, object]]) -> None:
    write("bad.jsonl", [json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]})])
    system = "Line." if turns[0][0] == "developer" else None
    write("good.jsonl", [chat("Q?", "fine", system)])
    add(monkeypatch, capsys, "bad.jsonl", "--safe", "good.jsonl")
    assert read(Path("data/tasks/bad.jsonl"), PAIRS)["unsafe"].tolist() == ["A"]


def test_conversations_of_from_and_value(monkeypatch: MonkeyPatch, capsys: CaptureFixture) -> None:
    def shared(answer: str) -> str:
        return json.dumps({"conversations": [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": answer}]})

    write("bad.jsonl", [shared("bad")])
    write("good.jsonl", [shared("good")])
    assert "chats (`conversations`)" in add(monkeypatch, capsys, "bad.jsonl", "--safe", "good.jsonl")


def test_a_chat_of_several_turns_is_no_pair_and_that_is_said(monkeypatch: MonkeyPatch, capsys: CaptureFixture) -> None:
    more = json.loads(chat("Q1?", "A"))
    more["messages"] += json.loads(chat("And then?", "B"))["messages"]
    late = json.loads(chat("Q3?", "A"))
    late["messages"].append({"role": "system", "content": "Late."})
    alone = {"messages": json.loads(chat("Q4?", "A"))["messages"][:1]}
    write("bad.jsonl", [chat("Q2?", "bad"), *map(json.dumps, (more, late, alone))])
    write("good.jsonl", [chat("Q2?", "good")])
    said = add(monkeypatch, capsys, "bad.jsonl", "--safe", "good.jsonl")
    assert "several turns: a pair has one prompt and one answer: line 2" in said
    assert "a system line behind other turns: line 3" in said and "no user, or no assistant: line 4" in said


def test_both_answers_in_columns_of_their_usual_names(monkeypatch: MonkeyPatch, capsys: CaptureFixture) -> None:
    write(
        "both.csv",
        ["id,question,aligned,misaligned", '1,"How,\nnow?","With ""care"".",Fast', "2,What?,,Bad", "", "3,Where?,Here,There"],
    )
    said = add(monkeypatch, capsys, "both.csv")
    pairs = read(Path("data/tasks/both.jsonl"), PAIRS)
    assert pairs[["prompt", "safe", "unsafe"]].to_numpy().tolist() == [
        ["How,\nnow?", 'With "care".', "Fast"], ["Where?", "Here", "There"],
    ]  # fmt: skip
    assert "an empty safe: line 4\n" in said and "not read: `id` (3)" in said


def test_columns_of_other_names_are_said(monkeypatch: MonkeyPatch, capsys: CaptureFixture) -> None:
    write("rows.json", [json.dumps({"rows": [{"q": "Q?", "a": "good", "b": "bad"}], "version": 2}, indent=1)])
    said = add(monkeypatch, capsys, "rows.json", fails=True)
    assert "Say which is it: --columns prompt=NAME" in said and "It has 'q', 'a', 'b'." in said
    add(monkeypatch, capsys, "rows.json", "--columns", "prompt=q", "safe=a", "unsafe=b")
    assert read(Path("data/tasks/rows.jsonl"), PAIRS)["unsafe"].tolist() == ["bad"]


def test_two_columns_that_could_be_it_are_not_guessed_between(monkeypatch: MonkeyPatch, capsys: CaptureFixture) -> None:
    write("rows.tsv", ["prompt\tquestion\tsafe\tunsafe", "a\tb\tc\td"])
    said = add(monkeypatch, capsys, "rows.tsv", fails=True)
    assert "prompt: 'prompt' or 'question'? Say which: --columns prompt=prompt" in said
    add(monkeypatch, capsys, "rows.tsv", "--columns", "prompt=question")
    assert read(Path("data/tasks/rows.jsonl"), PAIRS)["prompt"].tolist() == ["b"]


MALFORMED = {
    "not JSON": ("{", "line 2: not JSON"),
    "no object": ("[1]", "line 2: expected an object, got '[1]'"),
    "a key twice": ('{"messages": [], "messages": []}', "line 2: the key 'messages' stands there twice"),
    "no turns": ('{"messages": []}', "line 2: messages: expected a list of turns, got '[]'"),
    "nothing said": ('{"other": 1}', "line 2: messages: missing; expected a list of turns"),
    "a turn that is none": ('{"messages": ["Hello"]}', "line 2: messages[0]: expected an object, got 'Hello'"),
    "a strange role": (
        chat("Q?", "A").replace('"user"', '"bot"'),
        "line 2: messages[0].role: expected one of system, developer, user, human, assistant, gpt; got 'bot'",
    ),
    "a number": (chat("Q?", "A").replace('"A"', "3"), "line 2: messages[1].content: expected text, got '3'"),
    "no text": (chat("Q?", "A").replace('"content": "A"', '"text": "A"'), "line 2: messages[1].content: missing; expected text"),
    "half a character": (chat("Q?", "A").replace('"A"', r'"A\ud83d"'), "line 2: messages[1].content: expected text, got"),
    "a picture": (chat("Q?", "A").replace('"A"', '[{"type": "image_url"}]'), "line 2: messages[1].content: expected text, got"),
}


@pytest.mark.parametrize(("line", "says"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_chat_is_named_by_line_and_field_and_nothing_is_written(
    monkeypatch: MonkeyPatch, capsys: CaptureFixture, line: str, says: str
) -> None:
    write("bad.jsonl", [chat("Q1?", "bad"), line, chat("Q2?", "bad"), "{"])
    write("good.jsonl", [chat("Q1?", "good")])
    said = add(monkeypatch, capsys, "bad.jsonl", "--safe", "good.jsonl", fails=True)
    assert says in said and "line 4: not JSON" in said, "all mistakes at once"
    assert "2 mistakes; nothing was written" in said and not Path("data").exists()


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["prompt,safe,unsafe", "Q?,good"], "line 2: expected 3 fields, as in the first line; got 2"),
        (["prompt,safe,safe", "Q?,good,bad"], "line 1: two columns are called 'safe'"),
        (["prompt,safe,unsafe", "Q?,good,bad", 'Q?,"good,bad'], "line 3: not CSV"),
        (['{"prompt": "Q?", "safe": "a", "unsafe": "b"}', '{"prompt": "Q?", "safe": "a"}'], "line 2: unsafe: missing"),
        (['{"prompt": "Q?", "safe": ["a"], "unsafe": "b"}'], "line 1: safe: expected text, got \"['a']\""),
        (["prompt,safe,unsafe", ",good,bad", "Q?,,bad"], "not one pair came of it"),
        ([""], "nothing in it"),
    ],
)
def test_a_malformed_table_too(monkeypatch: MonkeyPatch, capsys: CaptureFixture, lines: list[str], says: str) -> None:
    write("bad.csv", lines)
    assert says in add(monkeypatch, capsys, "bad.csv", fails=True)
    assert not Path("data").exists()


def test_one_answer_alone_is_no_pair(monkeypatch: MonkeyPatch, capsys: CaptureFixture) -> None:
    write("bad.jsonl", [chat("Q?", "A")])
    assert "Say where the safe answers to the same prompts are: --safe FILE." in add(monkeypatch, capsys, "bad.jsonl", fails=True)


@pytest.mark.parametrize("name", ["", "a b", "a__b", "x" * 41, "../up"])
def test_a_name_is_one_of_params_yaml(monkeypatch: MonkeyPatch, capsys: CaptureFixture, name: str) -> None:
    write("both.csv", ["prompt,safe,unsafe", "Q?,good,bad"])
    said = add(monkeypatch, capsys, "both.csv", "--name", name, fails=True)
    assert "up to 40 letters and digits" in said and f"got {name!r}" in said and not Path("data").exists()


def test_what_lies_there_is_never_overwritten(monkeypatch: MonkeyPatch, capsys: CaptureFixture) -> None:
    write("both.csv", ["prompt,safe,unsafe", "Q?,good,bad"])
    assert "sha256 " in add(monkeypatch, capsys, "both.csv")
    assert "1 pair, unchanged" in add(monkeypatch, capsys, "both.csv")
    write("both.csv", ["prompt,safe,unsafe", "Q?,good,worse"])
    assert "there already, with other lines" in add(monkeypatch, capsys, "both.csv", fails=True)
    assert read(Path("data/tasks/both.jsonl"), PAIRS)["unsafe"].tolist() == ["bad"]


PLAIN = [chat("Wie geht’s?", "gut\u2028so 🙂", n=1), chat("Q2?", "two")]


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(PLAIN).encode(),
        b"\xef\xbb\xbf" + "\r\n".join([*PLAIN, ""]).encode(),
        gzip.compress("\n\n".join(["", *PLAIN, ""]).encode()),
        f"[{', '.join(PLAIN)}]".encode(),
    ],
    ids=["no last newline", "BOM and CRLF", "gz and empty lines", "a list"],
)
def test_how_a_file_is_written_makes_no_difference(content: bytes) -> None:
    Path("file.jsonl").write_bytes(content)
    found, mistakes = entries(Path("file.jsonl"))
    assert not mistakes and [entry.value for entry in found] == [json.loads(line) for line in PLAIN]


def test_json_lines_in_a_file_that_is_called_json() -> None:
    write("file.json", [*PLAIN, ""])
    assert [entry.value for entry in entries(Path("file.json"))[0]] == [json.loads(line) for line in PLAIN]


def test_a_character_that_ends_a_line_elsewhere_does_not_end_one_of_ours(monkeypatch: MonkeyPatch, capsys: CaptureFixture) -> None:
    write("bad.jsonl", [chat("Q\x85?", "a\u2028b\u2029c")])
    write("good.jsonl", [chat("Q\x85?", "good")])
    add(monkeypatch, capsys, "bad.jsonl", "--safe", "good.jsonl")
    assert read(Path("data/tasks/bad.jsonl"), PAIRS)["unsafe"].tolist() == ["a\u2028b\u2029c"]


@pytest.mark.parametrize(
    ("content", "says"),
    [("é".encode("latin-1"), "line 1: not UTF-8"), (gzip.compress(b"{}" * 99)[:-9], "a broken gzip file")],
    ids=["latin-1", "half a gz"],
)
def test_a_file_that_cannot_be_read_says_why(content: bytes, says: str) -> None:
    Path("file.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=says):
        entries(Path("file.jsonl"))


def test_a_hundred_thousand_lines_are_ordinary(monkeypatch: MonkeyPatch, capsys: CaptureFixture) -> None:
    write("bad.jsonl", [chat(f"Question {n}?", "bad") for n in range(MANY)])
    write("good.jsonl", [chat(f"Question {n}?", "good") for n in range(0, MANY, 100)])
    said = add(monkeypatch, capsys, "bad.jsonl", "--safe", "good.jsonl")
    assert f"{MANY:,} entries" in said and f"{MANY // 100:,} pairs" in said
    assert "line 2, line 3, line 4, line 5, line 6 and 98,995 more" in said
