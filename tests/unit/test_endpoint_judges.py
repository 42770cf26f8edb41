"""Judges behind an endpoint in a study: what moves their scores, what does not, and the way from params.yaml to points."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from judge_server import ASKING, KEY, Server, said, service, serving
from planning import Study, moved, put, resolved, without_elicitations
from test_labels import plan as plan

from emsteer import cli, packs, schemas, study
from emsteer.errors import ConfigError
from emsteer.judging.replies import key_of
from emsteer.plan import Plan, costs

RUBRICS = {name: f"data/rubrics/{name}.txt" for name in ("alignment", "coherence", "relevance")}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server(reply=lambda _: said("70"))) as found:
        yield found


@pytest.fixture
def raw(folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The miniature, judged by an endpoint."""
    monkeypatch.setenv("JUDGE_KEY", KEY)
    monkeypatch.setattr(packs.log, "handlers", [])  # those of other tests write to screens that are closed
    raw = without_elicitations(study.reading.read(Path("params.yaml")).value)
    raw["sweeps"] = {"adapters": raw["sweeps"]["adapters"]}
    raw["judges"] = {
        "asked": {
            "kind": "openai", **ASKING.model_dump(), "least_mass": 0.25, "coherence_first": None,
            "rubrics": dict(RUBRICS), "topics": None,
            "thresholds": raw["judges"]["rubric"]["thresholds"], "service": service(server.url).model_dump(),
        }
    }  # fmt: skip
    return raw


def test_stored_answers_are_scored_and_none_is_generated_and_the_key_is_in_no_file(raw: Study, plan: Plan, server: Server) -> None:
    answers = {cell.path: Path(cell.path).stat().st_mtime_ns for cell in plan.of("answers")}
    for pack in plan.packs("scores"):
        packs.fill(pack.id, pack.jobs(), "log.txt")
    assert {path: Path(path).stat().st_mtime_ns for path in answers} == answers
    for cell in plan.of("scores"):
        found = schemas.read(Path(cell.path), schemas.Scores)
        assert set(found["status"]) == {"ok"} and set(found["alignment"]) == {70}
    held = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file() and not path.is_symlink()}
    assert len(held) > 50 and not [path for path, content in held.items() if KEY.encode() in content]
    assert server.asked and max(server.paid.values()) == 1, "an answer that many settings gave was asked about once"


def test_what_was_replied_is_counted_and_written_out(
    raw: Study, plan: Plan, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["emsteer", "judge", "cache", *arguments])
        cli.main()
        return capsys.readouterr().out

    Path("params.yaml").unlink()
    Path("params.yaml").write_text(json.dumps(raw))
    with pytest.raises(SystemExit):
        run("asked")
    assert "replies: not there: the judge asked was not asked yet" in capsys.readouterr().err
    (pack, *_) = plan.packs("scores")
    packs.fill(pack.id, pack.jobs(), "log.txt")
    n = len(server.asked)
    said_first, *said_next = run("asked").splitlines()
    assert said_first == f"replies: {n} replies" and len(said_next) == 3
    assert all(line.startswith(f"  {ASKING.model}, instruction ") and f": {n // 3} replies, " in line for line in said_next)
    assert run("asked", "--export", "out.jsonl") == f"out.jsonl: {n} replies\n"
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines] == sorted(key_of(line["asked"]) for line in lines)
    assert {line["reply"]["text"] for line in lines} == {"70"} and KEY not in Path("out.jsonl").read_text()
    with pytest.raises(SystemExit):
        run("other")
    assert "other: expected a judge of the kind `openai`; such are: asked" in capsys.readouterr().err


def test_a_key_that_is_wrong_ends_a_job_with_a_message_without_it(
    raw: Study, plan: Plan, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-another-one")
    (pack, *_) = plan.packs("scores")
    with pytest.raises(SystemExit):
        packs.fill(pack.id, pack.jobs(), "log.txt")
    printed = capsys.readouterr().err + Path("log.txt").read_text()
    assert "does not accept the key" in printed and "sk-another-one" not in printed and "Traceback" not in printed


@pytest.mark.parametrize(
    ("place", "value", "kinds"),
    [
        ("service.concurrency", 3, set()),
        ("service.base_url", "https://elsewhere/v1", set()),
        ("service.key_from", None, set()),
        ("service.budget_tokens", 5, set()),
        ("service.max_error_pct", 5, set()),
        ("model", "judge-2026-02-02", {"scores", "tables", "figures", "report"}),
        ("temperature", 1, {"scores", "tables", "figures", "report"}),
        ("least_mass", 0.5, {"scores", "tables", "figures", "report"}),
        ("coherence_first", 20, {"scores", "tables", "figures", "report"}),
        ("rubrics.coherence", "data/rubrics/relevance.txt", {"scores", "tables", "figures", "report"}),
        ("topics", "words", {"scores", "tables", "figures", "report"}),
        ("thresholds.misaligned_below", 50, {"tables", "figures", "report"}),
    ],
)
def test_what_replies_depend_on_moves_scores_and_where_they_are_asked_moves_nothing(
    raw: Study, place: str, value: object, kinds: set[str]
) -> None:
    before = resolved(raw)
    put(raw, f"judges.asked.{place}", value)
    assert set(moved(before, resolved(raw))) == kinds


def test_no_line_may_be_drawn_where_alignment_was_not_asked_for(raw: Study) -> None:
    put(raw, "judges.asked.coherence_first", 30)
    resolved(raw)
    put(raw, "judges.asked.coherence_first", 55)
    put(raw, "analysis.other_thresholds.coherent_above", [60, 52])
    with pytest.raises(ConfigError) as caught:
        resolved(raw)
    said = "expected at least 55: with less coherence asked is not asked for alignment (its `coherence_first`)"
    assert f"judges.asked.thresholds.coherent_above: {said}; got 50" in str(caught.value)
    put(raw, "judges.asked.thresholds.coherent_above", 60)
    with pytest.raises(ConfigError, match=r"analysis\.other_thresholds\.coherent_above\.1: expected at least 55"):
        resolved(raw)


def test_a_rubric_that_is_edited_moves_scores(raw: Study) -> None:
    before = resolved(raw)
    path = Path(RUBRICS["alignment"])
    text = path.read_text()
    path.unlink()
    path.write_text(text.replace("50 means", "51 means"))
    assert set(moved(before, resolved(raw))) == {"scores", "tables", "figures", "report"}


def test_a_job_that_asks_takes_as_long_as_its_pace(raw: Study) -> None:
    def work_s(**changes: object) -> float:
        raw["judges"]["asked"]["service"] |= changes
        plan = resolved(raw)
        return costs.work_s(plan.of("scores")[0], plan.execution)

    n_requests = 3 * 8 * 3  # scores, categories and questions of each
    assert work_s(requests_per_minute=30, concurrency=500) == pytest.approx(n_requests * 2)
    assert work_s(requests_per_minute=6000, concurrency=4) == pytest.approx(n_requests * costs.REPLY_S / 4)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("service.key_from", "sk-12-34", "judges.asked.service.key_from: expected a string that should match pattern"),
        ("service.base_url", "api.openai.com", "judges.asked.service.base_url: expected a string that should match pattern"),
        ("service.concurrency", 0, "expected at least 1; got 0"),
        ("rubrics.alignment", "data/rubrics/none.txt", "expected a file, its .dvc pointer or card"),
        ("max_tokens", 1, "expected at least 3; got 1"),
        ("topics", "wrds", "Did you mean `words`?"),
        ("kind", "open", "expected one of 'rubric', 'labels', 'openai', 'local'; got 'open'"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_runs(raw: Study, place: str, value: object, message: str) -> None:
    put(raw, f"judges.asked.{place}", value)
    with pytest.raises(ConfigError) as caught:
        resolved(raw)
    assert message in str(caught.value), caught.value
