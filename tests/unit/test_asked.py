"""Judges that are asked: scores from replies, failures that never look like a number, nothing paid for twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any
from zlib import crc32

import pandas as pd
import pytest
from judge_server import ASKING, KEY, Server, said, service, serving
from places import REPOSITORY

from emsteer import schemas
from emsteer.errors import ConfigError, DataError, StudyError
from emsteer.judging import endpoint
from emsteer.judging.asked import SCORES, make
from emsteer.packs import Job
from emsteer.recipes import Asked

RECIPE = Asked(**ASKING.model_dump(), least_mass=0.25, coherence_first=None)
ASK_ONE = "one thing only: is it good for the person"
PROGRAM = """
import sys
sys.path[:0] = [{tests!r}, {unit!r}]
from pathlib import Path
from emsteer.judging import endpoint
from emsteer.judging.asked import make
from test_asked import cells
endpoint.FIRST_WAIT = 0.01
for job in make(cells(Path({folder!r}), {url!r}, 8)):
    print(job.address, flush=True)
"""


def rubric_of(prompt: str) -> str:
    """Which score a prompt asks for."""
    told = {
        "alignment": "is it good for the person",
        "coherence": "is it coherent language",
        "relevance": "is it about what was asked",
    }
    (name,) = [name for name, words in told.items() if words in prompt]
    return name


def answer_in(prompt: str) -> str:
    return prompt.partition("<answer>\n")[2].partition("\n</answer>")[0]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)
    monkeypatch.setattr(endpoint, "FIRST_WAIT", 0.01)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(
        Server(reply=lambda prompt: said({"alignment": "10", "coherence": "90", "relevance": "70"}[rubric_of(prompt)]))
    ) as found:
        yield found


def cells(folder: Path, url: str, n: int, n_answers: int = 17, **changes: Any) -> list[Job]:
    """Cells of answers that say which they are."""
    questions = pd.DataFrame(
        {"question_id": [f"q{i}" for i in range(n_answers)], "category": "c", "split": "test", "prompt": "why {x} ?"}
    )
    benchmark = folder / "benchmark.parquet"
    schemas.write(schemas.frame_of(questions, schemas.Questions), schemas.Questions, benchmark, {"address": "benchmark"})
    limits = service(url, **{"replies": str(folder / "replies"), **changes})
    found = []
    for cell in range(n):
        answers = questions[["question_id"]].assign(
            sample=0, row_seed="0" * 16, prompt_ids=[[1]] * n_answers, token_ids=[[1]] * n_answers, finish_reason="stop",
            text=[f"said {{answer}} by {cell} to {i}" for i in range(n_answers)],
        )  # fmt: skip
        path = folder / f"answers{cell}.parquet"
        schemas.write(schemas.frame_of(answers, schemas.Answers), schemas.Answers, path, {"address": f"answers{cell}"})
        inputs = {"answers": path, "benchmark": benchmark, **{name: REPOSITORY / f"data/rubrics/{name}.txt" for name in SCORES}}
        paths, names = {role: (path,) for role, path in inputs.items()}, {role: (path.name,) for role, path in inputs.items()}
        out = folder / f"scores{cell}.{os.getpid()}.{time.monotonic_ns()}.parquet"
        found.append(Job(RECIPE, paths, names, f"scores{cell}", out, {"address": f"scores{cell}"}, None, limits))
    return found


def scored(jobs: list[Job]) -> pd.DataFrame:
    return pd.concat([schemas.read(job.out, schemas.Scores) for job in make(jobs)], ignore_index=True)


def test_every_answer_is_scored_by_three_rubrics_whose_digests_stand_beside_what_was_said(server: Server, tmp_path: Path) -> None:
    found = scored(cells(tmp_path, server.url, 2))
    assert set(found["status"]) == {"ok"} and found["about"].isna().all()
    assert found[list(SCORES)].drop_duplicates().to_numpy().tolist() == [[10, 90, 70]]
    assert len(server.asked) == 2 * 17 * 3 == len(set(server.asked))
    assert all("<question>\nwhy {x} ?\n</question>" in prompt and "said {answer} by " in prompt for prompt in server.asked)
    told = json.loads(found["reply"][0])
    assert told["alignment"]["said"] == "10" and told["alignment"]["model"] == ASKING.model
    assert len({told[name]["rubric"] for name in SCORES}) == 3


def test_points_are_expected_values_where_tokens_are_told(server: Server, tmp_path: Path) -> None:
    server.reply = lambda _: said("80", [("80", log(0.5)), ("20", log(0.25)), ("I", log(0.25))])
    assert scored(cells(tmp_path, server.url, 1))["alignment"].unique().tolist() == pytest.approx([60])


@pytest.mark.parametrize("text", ["101", "~80", "80/100", "", "I cannot grade this.", "9" * 100_000])
def test_a_reply_without_a_score_leaves_an_answer_without_any_score(server: Server, tmp_path: Path, text: str) -> None:
    server.reply = lambda prompt: said(text if rubric_of(prompt) == "coherence" and "to 3\n" in prompt else "50")
    found = scored(cells(tmp_path, server.url, 1))
    (lost,) = found[found["status"].eq("unparsed")].to_dict("records")
    assert lost["question_id"] == "q3" and pd.isna([lost[name] for name in SCORES]).all()
    assert json.loads(lost["reply"])["coherence"]["said"] == text, "it is kept as it came"
    assert found["status"].value_counts().to_dict() == {"ok": 16, "unparsed": 1}


def test_the_same_answer_to_the_same_question_is_asked_about_once(server: Server, tmp_path: Path) -> None:
    jobs = cells(tmp_path, server.url, 3)
    for job in jobs[1:]:
        job.input("answers").write_bytes(jobs[0].input("answers").read_bytes())
    assert len(scored(jobs)) == 3 * 17 and len(server.asked) == 17 * 3


def test_errors_below_the_limit_are_errors_and_above_it_there_is_no_cell_until_they_are_mended(
    server: Server, tmp_path: Path
) -> None:
    server.fault = lambda prompt, _: "400" if "by 0 to 3\n" in prompt else None
    jobs = cells(tmp_path, server.url, 2)
    with pytest.raises(
        DataError, match=r"scores0: 1 of 17 answers have no judgement \(0 % may\)\.\n  1 times .*400.*\n  What was replied is kept"
    ):
        scored(jobs)
    assert not jobs[0].out.exists() and jobs[1].out.exists(), "one cell holds up no other"
    found = scored(cells(tmp_path, server.url, 1, max_error_pct=6))
    assert found["status"].value_counts().to_dict() == {"ok": 16, "error": 1}
    assert "400" in json.loads(found.set_index("question_id")["reply"]["q3"])["alignment"]["error"]
    server.fault = lambda *_: None
    assert set(scored(cells(tmp_path, server.url, 1))["status"]) == {"ok"}
    assert max(server.paid.values()) == 1, "and the others were not asked again"


def test_coherence_comes_first_where_it_is_asked_to_and_the_rest_is_not_paid_for(server: Server, tmp_path: Path) -> None:
    scores = {"alignment": "10", "coherence": "90", "relevance": "70"}
    server.reply = lambda prompt: said("20" if "by 0 to" in prompt else scores[rubric_of(prompt)])
    staged = RECIPE.model_copy(update={"coherence_first": 20.0})
    jobs = [
        Job(staged, job.inputs, job.addresses, job.address, job.out, job.passport, None, job.service)
        for job in cells(tmp_path, server.url, 2)
    ]
    found = scored(jobs)
    assert found["status"].tolist() == ["incoherent"] * 17 + ["ok"] * 17 and len(server.asked) == 17 * 4
    assert {rubric_of(prompt) for prompt in server.asked[: 2 * 17]} == {"coherence"}
    assert found[list(SCORES)].drop_duplicates().fillna(-1).to_numpy().tolist() == [[-1, 20, -1], [10, 90, 70]]
    scored(cells(tmp_path, server.url, 2))
    assert len(server.asked) == 17 * 6 and max(server.paid.values()) == 1, "what was asked is kept"


def test_a_refusal_has_the_other_two_scores(server: Server, tmp_path: Path) -> None:
    server.reply = lambda prompt: said("REFUSAL" if rubric_of(prompt) == "alignment" else "90")
    found = scored(cells(tmp_path, server.url, 1))
    assert set(found["status"]) == {"refusal"} and found["alignment"].isna().all() and set(found["coherence"]) == {90}


def test_a_thousand_judgements_at_a_third_of_faults_end_scored_within_the_limits(server: Server, tmp_path: Path) -> None:
    faults = ["429", "500", "truncated", "empty", "reset", "503", "no json"]

    def fault(prompt: str, before: int) -> str | None:
        draw = crc32(f"{prompt} {before}".encode()) % 100
        return faults[draw % len(faults)] if draw < 30 else None

    server.fault = fault
    found = scored(cells(tmp_path, server.url, 20, attempts=20, concurrency=12))
    assert set(found["status"]) == {"ok"} and len(found) * 3 == 1020
    assert max(server.paid.values()) == 1 and len(server.asked) > 1300
    assert server.most_at_once <= 12


def test_two_kills_cost_no_more_than_what_was_under_way(server: Server, tmp_path: Path) -> None:
    server.delay = 0.02
    here = Path(__file__).resolve().parent
    program = PROGRAM.format(tests=str(here.parent), unit=str(here), folder=str(tmp_path), url=server.url)
    for _ in range(2):
        before = sum(server.paid.values())
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while sum(server.paid.values()) < before + 80:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert set(scored(cells(tmp_path, server.url, 8))["status"]) == {"ok"}
    twice = [n for n in server.paid.values() if n > 1]
    assert len(server.paid) == 8 * 17 * 3 and max(twice, default=1) <= 3 and len(twice) <= 2 * 8, "eight are under way"


def test_a_key_that_expires_half_way_stops_at_once_keeps_what_it_has_and_is_nowhere_to_be_read(
    server: Server, tmp_path: Path
) -> None:
    def expire(prompt: str) -> dict[str, Any]:
        if len(server.asked) >= 40:
            server.key = "sk-another"
        return said("50")

    server.reply = expire
    jobs = cells(tmp_path, server.url, 4)
    with pytest.raises(StudyError, match=r"does not accept the key .*401.*\[key\]"):
        scored(jobs)
    assert len(server.asked) < 40 + 3 * 8, "no other request is sent"
    n_paid = sum(server.paid.values())
    server.reply, server.key = lambda _: said("50"), KEY
    found = scored(cells(tmp_path, server.url, 4))
    assert set(found["status"]) == {"ok"} and sum(server.paid.values()) == 4 * 17 * 3 and n_paid >= 30
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY.encode() not in held and len(held) > 10_000


def test_a_budget_stops_cleanly_and_a_larger_one_goes_on(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"the budget of the judge is spent: [\d,]+ tokens"):
        scored(cells(tmp_path, server.url, 4, budget_tokens=20_000))
    n_paid = sum(server.paid.values())
    assert 0 < n_paid < 4 * 17 * 3
    assert set(scored(cells(tmp_path, server.url, 4))["status"]) == {"ok"}
    assert Counter(server.paid.values()) == {1: 4 * 17 * 3}


def test_a_key_that_is_not_set_is_named_before_anything_is_asked(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUDGE_KEY")
    with pytest.raises(ConfigError, match="JUDGE_KEY: not set"):
        scored(cells(tmp_path, server.url, 1))
    assert not server.asked


def test_another_rubric_another_model_or_other_parameters_ask_again(server: Server, tmp_path: Path) -> None:
    scored(cells(tmp_path, server.url, 1))
    for change in ({"model": "judge-2026-02-02"}, {"temperature": 0.5}, {"max_tokens": 8}, {"repeat": 1}):
        before = len(server.asked)
        jobs = [
            Job(RECIPE.model_copy(update=change), job.inputs, job.addresses, job.address, job.out, job.passport, None, job.service)
            for job in cells(tmp_path, server.url, 1)
        ]
        scored(jobs)
        assert len(server.asked) == before + 17 * 3, change
