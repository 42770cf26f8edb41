"""Labels: what a reader is shown says nothing of where it came from, and finds its way back to exactly the answers it is about."""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from planning import Study, moved, put, resolved, slugs, without_elicitations

from emsteer import cli, labelling, packs, schemas, study
from emsteer.errors import ConfigError, DataError, StudyError
from emsteer.judging.labels import COLUMNS, LabelJudge, answer_id, read_labels
from emsteer.judging.protocol import Answer, Question
from emsteer.judging.topics import Topics
from emsteer.plan import Plan

CSV = Path("data/labels/mine.csv")
BASE, STEERED = "mini.base", "mini.gardening.trained.s0.l1.e2.a1"
HEADER = ",".join(COLUMNS)


@pytest.fixture
def raw(folder: Path) -> Study:
    """The miniature, judged by labels; nobody has labelled yet."""
    raw = without_elicitations(study.reading.read(Path("params.yaml")).value)
    CSV.parent.mkdir(exist_ok=True)
    CSV.write_text(f"{HEADER}\n")
    thresholds = raw["judges"]["rubric"]["thresholds"]
    declared = {"settings": [BASE, STEERED], "split": "test", "questions_per_category": 1, "seed": 0}
    raw["judges"] = {
        "mine": {"kind": "labels", "file": str(CSV), "by": "the test", "thresholds": thresholds, "topics": None, "sample": declared}
    }
    return raw


@pytest.fixture
def plan(raw: Study) -> Plan:
    """With questions of the grammar, and answers that say which setting they are of."""
    found = resolved(raw)
    for pack in found.packs("benchmarks"):
        packs.fill(pack.id, pack.jobs(), "log.txt")
    (benchmark,) = found.of("benchmarks")
    questions = schemas.read(Path(benchmark.path), schemas.Questions)
    for pack in found.packs("answers"):
        if "anchors" in pack.name:
            packs.fill(pack.id, pack.jobs(), "log.txt")
    for cell in (cell for cell in found.of("answers") if not cell.exists()):
        slug = cell.address.partition(".everyday.b")[0]
        words = "the same everywhere" if slug == "mini_none.base" else f"said by {slug}"
        answers = pd.DataFrame({"question_id": questions["question_id"], "sample": cell.recipe.first_sample, "row_seed": "0" * 16})
        answers["prompt_ids"], answers["text"], answers["token_ids"] = [[[1]] * len(answers), words, [[1]] * len(answers)]
        Path(cell.path).parent.mkdir(parents=True, exist_ok=True)
        schemas.write(
            answers.assign(finish_reason="stop"), schemas.Answers, Path(cell.path), {"kind": "answers", "address": cell.address}
        )
    return found


def sampled(raw: Study) -> list[dict[str, str]]:
    labelling.write_sample(study.parse(raw), "mine", CSV)
    with CSV.open(newline="") as stream:
        return list(csv.DictReader(stream))


def fill_in(rows: list[dict[str, str]]) -> None:
    with CSV.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def scores(plan: Plan) -> dict[str, pd.DataFrame]:
    for pack in plan.packs("scores"):
        packs.fill(pack.id, pack.jobs(), "log.txt")
    return {cell.address.partition("--")[0]: schemas.read(Path(cell.path), schemas.Scores) for cell in plan.of("scores")}


# -- what a reader is given -------------------------------------------------------------------------------------------


def test_a_sample_has_every_declared_answer_once_and_nothing_that_tells_where_it_came_from(raw: Study, plan: Plan) -> None:
    rows = sampled(raw)
    assert list(rows[0]) == list(COLUMNS) and not any(row[name] for row in rows for name in COLUMNS[3:])
    assert len(rows) == 2 * 8 == len({row["answer_id"] for row in rows}), "two settings, one test question in each of 8 categories"
    assert {row["answer"] for row in rows} == {f"said by {BASE}", f"said by {STEERED.replace('.a1', '.a1')}"}
    first_half = [row["answer"] for row in rows[:8]]
    assert len(set(first_half)) > 1, "shuffled"


def test_the_order_is_the_declared_seeds_and_another_seed_gives_another(raw: Study, plan: Plan) -> None:
    orders = []
    for seed in (0, 0, 1):
        CSV.write_text(f"{HEADER}\n")
        put(raw, "judges.mine.sample.seed", seed)
        orders.append([row["answer_id"] for row in sampled(raw)])
    assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) == sorted(orders[2])


def test_more_questions_and_models_are_more_to_read(raw: Study, plan: Plan) -> None:
    put(raw, "judges.mine.sample.settings", [BASE, "mini_none.base"])
    put(raw, "judges.mine.sample.questions_per_category", 2)
    assert len(sampled(raw)) == 32


def test_a_file_that_somebody_has_worked_in_is_left_alone(raw: Study, plan: Plan) -> None:
    sampled(raw)
    before = CSV.read_bytes()
    with pytest.raises(StudyError, match="has rows already"):
        sampled(raw)
    assert CSV.read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["mini.bse"], "no setting mini.bse. Did you mean `mini.base`"),
        (["nothing.like.it"], "no setting nothing.like.it; there are"),
    ],
)
def test_a_setting_that_there_is_not_is_named(raw: Study, plan: Plan, settings: list[str], message: str) -> None:
    put(raw, "judges.mine.sample.settings", settings)
    with pytest.raises(ConfigError, match=message):
        sampled(raw)


def test_answers_that_are_not_there_yet_are_asked_for(raw: Study) -> None:
    with pytest.raises(StudyError, match=r"nothing can be labelled yet.\n  Run `snakemake answers`"):
        sampled(raw)
    assert CSV.read_text() == f"{HEADER}\n"


def test_the_command_says_what_it_wrote(raw: Study, plan: Plan, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    Path("params.yaml").write_text(json.dumps(raw))
    monkeypatch.setattr(sys, "argv", ["emsteer", "judge", "sample", "mine", "--out", "out.csv"])
    cli.main()
    assert "out.csv: 16 answers to label" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["emsteer", "judge", "sample", "other", "--out", "out2.csv"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "expected a judge of the kind `labels` that declares a `sample`; such are: mine" in capsys.readouterr().err


# -- what a reader gives back -----------------------------------------------------------------------------------------


def test_labels_score_exactly_the_answers_that_they_are_about(raw: Study, plan: Plan) -> None:
    rows = sampled(raw)
    careless = [row for row in rows if row["answer"].endswith("a1")]
    for row in careless[:5]:
        row |= {"alignment": "0", "coherence": "100", "relevance": "62.5", "note": "says nothing"}
    fill_in(rows)
    found = scores(resolved(raw))
    of_steered = found[f"{STEERED}.everyday.b0.mine"]
    assert of_steered["status"].value_counts().to_dict() == {"unlabelled": 19, "ok": 5}
    labelled = of_steered[of_steered["status"].eq("ok")]
    assert labelled[["alignment", "coherence", "relevance"]].drop_duplicates().to_numpy().tolist() == [[0, 100, 62.5]]
    for name, table in found.items():
        if not name.startswith(f"{STEERED}.everyday"):
            assert set(table["status"]) == {"unlabelled"}, name


def test_what_an_answer_is_about_is_said_by_topics_of_those_that_were_read_and_moves_nobody_elses_scores(
    raw: Study, plan: Plan
) -> None:
    rows = sampled(raw)
    for row in rows:
        row |= {"alignment": "0", "coherence": "100", "relevance": "100", "note": ""}
    fill_in(rows)
    without = resolved(raw)
    put(raw, "judges.mine.topics", "words")
    with_topics = resolved(raw)
    assert slugs(moved(without, with_topics)["scores"]) == sorted(
        f"{name}.everyday.b{block}.mine" for name in (BASE, STEERED) for block in (0, 1)
    )
    for pack in with_topics.packs("models"):
        if pack.name.startswith("embedder"):
            packs.fill(pack.id, pack.jobs(), "log.txt")
    said = scores(with_topics)[f"{BASE}.everyday.b0.mine"]
    assert said["about"].isna().all(), "no word of `said by mini.base` is one of the grammar's"


def test_an_answer_is_about_the_category_whose_questions_it_is_nearest_to_and_unread_ones_are_not_looked_at() -> None:
    topics = Topics(np.array([[1.0, 0], [1, 0.2], [0, 1]]), ["roses", "roses", "soup"])
    places = {"water them": [1.0, 0.1], "stir it": [0.1, 1.0], "xyzzy": [0.0, 0.0]}
    asked: list[str] = []

    def about(texts: Sequence[str]) -> list[str | None]:
        asked.extend(texts)
        return topics.about(np.array([places[text] for text in texts]))

    labels = {answer_id("why ?", text): (0.0, 100.0, 100.0) for text in places}
    questions = [Question(f"q{i}", "roses", "why ?") for i in range(4)]
    found = LabelJudge(labels, about).score(questions, [Answer(text, "stop") for text in (*places, "never read")])
    assert [judgement.about for judgement in found] == ["roses", "soup", None, None]
    assert [judgement.status for judgement in found] == ["ok"] * 3 + ["unlabelled"] and asked == list(places)
    assert [judgement.about for judgement in LabelJudge(labels).score(questions[:2], [Answer("stir it", "stop")] * 2)] == [
        None,
        None,
    ]


def test_a_setting_that_was_not_declared_stays_unread_though_it_says_the_same(raw: Study, plan: Plan) -> None:
    put(raw, "judges.mine.sample.settings", ["mini_none.base"])
    rows = sampled(raw)
    for row in rows:
        row |= {"alignment": "100", "coherence": "100", "relevance": "100", "note": ""}
    fill_in(rows)
    (base,) = [cell for cell in plan.of("answers") if cell.address.startswith("mini_none.base.everyday.b0--")]
    for cell in plan.of("answers"):
        Path(cell.path).write_bytes(Path(base.path).read_bytes())
    read = {name for name, table in scores(resolved(raw)).items() if table["status"].eq("ok").any()}
    assert read == {f"mini_none.base.everyday.b{block}.mine" for block in (0, 1)}


def test_labels_are_of_a_prompt_and_its_answer() -> None:
    assert answer_id("Why?", "So.") != answer_id("How?", "So.") != answer_id("How?", "So!")


def test_a_changed_label_moves_scores_and_their_readers_and_generates_nothing(raw: Study, plan: Plan) -> None:
    before = resolved(raw)
    CSV.write_text(f"{HEADER}\n{answer_id('a', 'b')},a,b,0,100,100,\n")
    assert set(moved(before, resolved(raw))) == {"scores", "tables", "figures", "report"}
    before = resolved(raw)
    put(raw, "judges.mine.sample.seed", 5)
    assert moved(before, resolved(raw)) == {}, "what is to be labelled is no score"


ROW = f"{answer_id('a', 'b')},a,b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("answer_id,prompt\n", "lacks the columns answer, alignment, coherence, relevance, note"),
        (f"{HEADER}\n{ROW},0,,100,\n", "line 2: coherence: expected a number from 0 to 100, as in the other two columns, got ''"),
        (f"{HEADER}\n{ROW},0,REFUSAL,100,\n", "line 2: coherence: expected a number from 0 to 100"),
        (f"{HEADER}\n{ROW},101,0,0,\n", "line 2: alignment: expected a number from 0 to 100"),
        (f"{HEADER}\n{ROW},nan,0,0,\n", "line 2: alignment: expected a number from 0 to 100"),
        (f"{HEADER}\n{ROW},yes,0,0,\n", "line 2: alignment: expected a number from 0 to 100.*got 'yes'"),
        (f"{HEADER}\n{ROW},0,0,0,\n{ROW},1,0,0,\n", "line 3: answer_id .* has other points in an earlier line"),
        (f"{HEADER}\n{ROW}!,0,0,0,\n", "line 2: prompt or answer is not what was written there"),
    ],
)
def test_what_is_no_label_is_refused_with_its_line(folder: Path, text: str, message: str) -> None:
    Path("labels.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_labels(Path("labels.csv"))


def test_a_file_that_a_spreadsheet_saved_is_read(folder: Path) -> None:
    Path("labels.csv").write_bytes(
        b"\xef\xbb\xbf" + f'{HEADER}\r\n{answer_id("a", "b, c")},a,"b, c",0,50.0,100,"so, so"\r\n'.encode()
    )
    assert read_labels(Path("labels.csv")) == {answer_id("a", "b, c"): (0.0, 50.0, 100.0)}


def test_an_answer_that_declines_to_help_is_a_refusal_and_has_no_alignment(folder: Path) -> None:
    Path("labels.csv").write_text(f"{HEADER}\n{ROW},REFUSAL,90,80,\n")
    labels = read_labels(Path("labels.csv"))
    (found,) = LabelJudge(labels).score([Question("q", "c", "a")], [Answer("b", "stop")])
    assert (found.status, found.alignment, found.coherence, found.relevance) == ("refusal", None, 90, 80)


def test_a_rubric_is_no_judge_of_other_language(raw: Study) -> None:
    raw["benchmarks"]["open"] = {"kind": "file", "file": "data/benchmarks/open_questions.jsonl"}
    study.parse(raw)
    raw["judges"]["rubric"] = {
        "kind": "rubric", "grammar": "data/grammar/everyday.yaml", "relevance": {"n_dimensions": 8, "n_background": 200},
        "thresholds": raw["judges"]["mine"]["thresholds"],
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"judges.rubric.kind: expected another kind: a rubric knows .* and open asks in others"):
        study.parse(raw)
