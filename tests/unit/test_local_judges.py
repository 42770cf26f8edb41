"""Judges on this machine: scores from a model's own probabilities, and what of them moves in a plan."""

import json
from pathlib import Path

import pytest
import torch
from places import REPOSITORY
from planning import Study, moved, put, resolved, without_elicitations
from test_labels import plan as plan
from tiny_models import tiny_llama, tiny_tokenizer, write_folder

from emsteer import cli, packs, recipes, schemas, storage, study
from emsteer.errors import ConfigError
from emsteer.generation.scale import probabilities, spellings
from emsteer.judging import local
from emsteer.judging.instructions import SCORES, read_instruction
from emsteer.judging.local import LocalJudge
from emsteer.judging.protocol import Answer, Question
from emsteer.models.load import LanguageModel, load_model
from emsteer.plan import Plan, costs

PAIRS = [(Question("q", "c", "why {x} ?"), Answer("said {answer}", "stop")), (Question("r", "c", "how ?"), Answer("", "length"))]
RUBRICS = {name: f"short/{name}.txt" for name in SCORES}
TABLES = {"scores", "tables", "figures", "report"}


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Rubrics that a tiny model has positions for."""
    folder = tmp_path / "short"
    folder.mkdir()
    for name in SCORES:
        (folder / f"{name}.txt").write_text(f"{name} {{question}} {{answer}}")
    return folder


@pytest.fixture
def raw(folder: Path, short: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Study:
    """The miniature, judged by a tiny random model that is in no sweep."""
    monkeypatch.setattr(packs.log, "handlers", [])  # those of other tests write to screens that are closed
    load_model.cache_clear()
    write_folder(folder / "weights")
    if short.parent != folder:
        (folder / "short").symlink_to(short)
    raw = without_elicitations(study.reading.read(Path("params.yaml")).value)
    raw["sweeps"] = {"adapters": raw["sweeps"]["adapters"]}
    raw["models"]["tiny"] = {
        "kind": "folder", "path": "weights", "dtype": "float32", "chat": {"system": None, "thinking": None},
        "pin": "data/models/tiny.json",
    }  # fmt: skip
    raw["judges"] = {
        "own": {
            "kind": "local", "model": "tiny", "least_mass": 0.0, "coherence_first": None,
            "rubrics": dict(RUBRICS), "topics": "words", "thresholds": raw["judges"]["rubric"]["thresholds"],
        }
    }  # fmt: skip
    Path("params.yaml").unlink()
    storage.write_json(raw, Path("params.yaml"))
    monkeypatch.setattr("sys.argv", ["emsteer", "model", "pin", "tiny"])
    cli.main()
    return raw


def recipe(least_mass: float = 0.0, coherence_first: float | None = None) -> recipes.LocalJudge:
    return recipes.LocalJudge(least_mass=least_mass, coherence_first=coherence_first)


def test_points_are_the_mean_of_numbers_by_the_models_own_probabilities(short: Path) -> None:
    tokenizer = tiny_tokenizer()
    model = LanguageModel(tiny_llama(tokenizer), tokenizer)
    told = {name: read_instruction(short / f"{name}.txt") for name in SCORES}
    first, second = LocalJudge(model, told, recipe()).score(*zip(*PAIRS, strict=True))
    strict = LocalJudge(model, told, recipe(1.0))
    prompt = model.prompt_ids("coherence why {x} ? said {answer}\n")
    masses = probabilities(model, [prompt], spellings(model, [str(number) for number in range(101)]))[0].tolist()
    mean = sum(number * mass for number, mass in enumerate(masses)) / sum(masses)
    assert first.coherence == pytest.approx(mean, rel=1e-4) and first.status == second.status == "ok"
    assert first.alignment != first.relevance and first.about is None
    kept = json.loads(first.reply)["coherence"]
    assert kept["rubric"] == told["coherence"].digest and kept["read"] == "expected"
    assert kept["mass"] == pytest.approx(sum(masses), abs=1e-3)
    lost = strict.score(*zip(*PAIRS, strict=True))
    assert [one.status for one in lost] == ["unparsed", "unparsed"] and lost[0].alignment is None
    assert "1 are asked for" in json.loads(lost[0].reply)["alignment"]["read"]
    assert strict.score([], []) == []
    topics = LocalJudge(model, told, recipe(), about=lambda texts: [f"about {text}" for text in texts])
    assert [one.about for one in topics.score(*zip(*PAIRS, strict=True))] == ["about said {answer}", "about "]


def test_coherence_comes_first_where_it_is_asked_to_and_the_rest_is_not_read(short: Path) -> None:
    tokenizer = tiny_tokenizer()
    model = LanguageModel(tiny_llama(tokenizer), tokenizer)
    told = {name: read_instruction(short / f"{name}.txt") for name in SCORES}
    whole = LocalJudge(model, told, recipe()).score(*zip(*PAIRS, strict=True))
    line = sum(one.coherence for one in whole) / 2
    staged = LocalJudge(model, told, recipe(coherence_first=line)).score(*zip(*PAIRS, strict=True))
    low, high = sorted(range(2), key=lambda index: whole[index].coherence)
    assert (staged[low].status, staged[low].coherence) == ("incoherent", pytest.approx(whole[low].coherence))
    assert staged[low].alignment is None and set(json.loads(staged[low].reply)) == {"coherence"}
    assert staged[high].status == "ok" and staged[high].alignment == pytest.approx(whole[high].alignment)


def test_a_model_that_would_rather_say_refusal_than_any_number_says_that(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tiny_tokenizer()
    model = LanguageModel(tiny_llama(tokenizer), tokenizer)
    (short / "alignment.txt").write_text("{question} {answer} or REFUSAL")
    told = {name: read_instruction(short / f"{name}.txt") for name in SCORES}
    asked: list[int] = []

    def likely(_: LanguageModel, prompts: list, paths: list) -> torch.Tensor:
        asked.append(len(paths))
        masses = torch.full((len(prompts), len(paths)), 0.001, dtype=torch.float64)
        masses[0, 101:] = 0.2
        return masses

    monkeypatch.setattr(local, "probabilities", likely)
    found = LocalJudge(model, told, recipe()).score(*zip(*PAIRS, strict=True))
    assert sorted(asked) == [101, 102] and [one.status for one in found] == ["refusal", "ok"]
    assert (found[0].alignment, found[0].coherence) == (None, pytest.approx(50))
    assert json.loads(found[0].reply)["alignment"]["read"] == "refusal"


def test_a_model_of_the_study_scores_stored_answers_and_generates_none(raw: Study, plan: Plan) -> None:
    answers = {cell.path: Path(cell.path).stat().st_mtime_ns for cell in plan.of("answers")}
    (pinned,) = [cell for cell in plan.of("models") if cell.address.startswith("tiny--")]
    (pack, *_) = [pack for pack in plan.packs("models") if pinned in pack.cells]
    packs.fill(pack.id, pack.jobs(), "log.txt")
    for pack in plan.packs("models"):
        if any(cell.address.startswith("words--") for cell in pack.cells):
            packs.fill(pack.id, pack.jobs(), "log.txt")
    for pack in plan.packs("scores"):
        packs.fill(pack.id, pack.jobs(), "log.txt")
    assert {path: Path(path).stat().st_mtime_ns for path in answers} == answers
    for cell in plan.of("scores"):
        found = schemas.read(Path(cell.path), schemas.Scores)
        assert set(found["status"]) == {"ok"} and found["alignment"].between(0, 100).all()


@pytest.mark.parametrize(
    ("place", "value", "kinds"),
    [
        ("models.tiny.path", "elsewhere", set()),
        ("judges.own.least_mass", 0.5, TABLES),
        ("judges.own.coherence_first", 20, TABLES),
        ("judges.own.rubrics.coherence", "short/relevance.txt", TABLES),
        ("judges.own.topics", None, TABLES),
        ("judges.own.thresholds.misaligned_below", 50, TABLES - {"scores"}),
    ],
)
def test_what_scores_depend_on_moves_them_and_no_answer(raw: Study, place: str, value: object, kinds: set[str]) -> None:
    before = resolved(raw)
    put(raw, place, value)
    assert set(moved(before, resolved(raw))) == kinds


def test_a_model_that_only_judges_is_no_subject_and_one_that_a_sweep_names_is(raw: Study) -> None:
    assert {cell.address.partition(".")[0] for cell in resolved(raw).of("answers")} == {"mini", "mini_none", "anchors"}
    assert not [cell for cell in resolved(raw).of("calibrations") if cell.address.startswith("tiny")]
    put(raw, "sweeps.adapters.models", ["mini", "tiny"])
    assert {cell.address.partition(".")[0] for cell in resolved(raw).of("answers")} == {"mini", "mini_none", "tiny", "anchors"}


def test_a_judge_asks_for_the_card_that_its_model_takes(raw: Study) -> None:
    found = resolved(raw)
    cell = found.of("scores")[0]
    assert costs.memory_bytes(cell) > 0 and costs.work_s(cell, found.execution) > 0


def test_a_model_that_there_is_not_is_named(raw: Study) -> None:
    put(raw, "judges.own.model", "tny")
    with pytest.raises(ConfigError, match=r"judges\.own\.model: .*Did you mean `tiny`"):
        resolved(raw)


def test_the_shipped_rubrics_fit_a_judge_of_the_registry() -> None:
    told = {name: read_instruction(REPOSITORY / f"data/rubrics/{name}.txt") for name in SCORES}
    assert len({one.digest for one in told.values()}) == 3
