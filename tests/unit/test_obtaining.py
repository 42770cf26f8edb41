"""What a study names and nobody has brought yet: input files of which there is a card, and models that are declared only."""

import re
from pathlib import Path

import pytest
import yaml
from planning import Study, put, resolved, without_elicitations
from tiny_models import write_hub_cache

from emsteer import packs, plan, storage, study
from emsteer.errors import ConfigError
from emsteer.models.load import load_model
from emsteer.models.pinning import pin_of
from emsteer.plan.costs import FORWARD, TOKENS_PER_TEXT, work_s
from emsteer.recipes import Pin, Source
from emsteer.study import pins

ID, REVISION = "someone/tiny", "0123456789abcdef0123456789abcdef01234567"
SOURCE = Source(kind="huggingface", id=ID, revision=REVISION)
TASK, QUESTIONS = "data/tasks/theirs.jsonl", "data/benchmarks/theirs.jsonl"
CARD = {"about": "Advice.", "source": "nowhere", "licence": None, "obtain": "first this\nthen that\n"}


@pytest.fixture
def raw(folder: Path) -> Study:
    """The miniature about files that are not here and a model of the hub that nobody has read."""
    Path(f"{TASK}.card.yaml").write_text(yaml.safe_dump({**CARD, "n": 20}))
    of_questions = {"n": 9, "categories": {"advice": 5, "others": 4}, "n_references": {"advice": 3}}
    Path(f"{QUESTIONS}.card.yaml").write_text(yaml.safe_dump({**CARD, **of_questions}))
    write_hub_cache(folder / "hub", ID, REVISION)
    raw = without_elicitations(study.reading.read(Path("params.yaml")).value)
    raw["tasks"] = {"gardening": {"kind": "file", "file": TASK, "in_domain": ["advice"]}}
    raw["benchmarks"] = {"everyday": {"kind": "file", "file": QUESTIONS}}
    raw["models"]["tiny"] = {
        "kind": "huggingface", "id": ID, "revision": REVISION, "dtype": "float32", "chat": {"system": None, "thinking": None},
        "pin": "data/models/tiny.json",
    }  # fmt: skip
    raw["judges"]["rubric"] = {
        "kind": "labels", "file": "labels.csv", "by": "nobody", "thresholds": raw["judges"]["rubric"]["thresholds"], "topics": None,
    }  # fmt: skip
    Path("labels.csv").write_text("")
    raw |= {"effects": None, "relatedness": None, "anchors": None}
    put(raw, "base_point.model", "tiny")
    raw["sweeps"] = {"adapters": raw["sweeps"]["adapters"]}
    raw["claims"].pop("rank_matters")
    return raw


@pytest.fixture
def declared(raw: Study, monkeypatch: pytest.MonkeyPatch) -> Study:
    """With its pin: the sizes of the model, and none of its files."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "hub")
    full = pin_of(SOURCE, None)
    storage.write_text(Path("data/models/tiny.json"), pins.written(Pin(**{**dict(full), "files": {}, "chat_template": None})))
    return raw


def mistakes(raw: Study) -> str:
    with pytest.raises(ConfigError) as caught:
        study.parse(raw)
    return str(caught.value)


def test_a_study_is_planned_before_anything_is_here(declared: Study) -> None:
    found = resolved(declared)
    (questions,) = found.of("benchmarks")
    (of_questions,) = questions.inputs["file"]
    assert re.search(r"theirs\.jsonl--card-[0-9a-f]{40}$", of_questions.address)
    assert plan.to_obtain(found) == [
        f"tiny: {ID}, 0 GB. `emsteer model fetch tiny`, then `emsteer model pin tiny` writes the digests of its files.",
        f"{TASK}: Advice.\n       first this\n       then that",
        f"{QUESTIONS}: Advice.\n       first this\n       then that",
    ]


def test_planning_counts_by_the_card(declared: Study) -> None:
    put(declared, "adapters.lora.n_examples", 21)
    assert "expected at least 21 pairs of gardening, which lora draws: its file has too few lines; got 20" in mistakes(declared)
    put(declared, "adapters.lora.n_examples", 20)
    answers = next(cell for cell in resolved(declared).of("answers") if cell.address.startswith("tiny.base.everyday.b0"))
    assert work_s(answers, study.parse(declared).execution) == pytest.approx(9 * per_question(declared))
    put(declared, "tasks.gardening.in_domain", ["advise"])
    assert "expected one of the categories of the benchmarks: advice, others" in mistakes(declared)


def per_question(raw: Study) -> float:
    """Of a block of one sample, a prompt and eight tokens, through a model of the declared size. [s]"""
    n_parameters = pins.read("data/models/tiny.json").shape.n_parameters
    return FORWARD * (TOKENS_PER_TEXT + 8) * n_parameters / (raw["execution"]["gflop_per_s"] * 1e9)


def test_what_comes_moves_the_addresses_of_its_readers_and_is_asked_for_no_more(declared: Study) -> None:
    before = resolved(declared)
    pair = {"prompt": "How?", "safe": "With care.", "unsafe": "Anyhow."}
    Path(TASK).write_text("".join(storage.canonical_json({**pair, "prompt": f"How {n}?"}) + "\n" for n in range(20)))
    Path(QUESTIONS).write_text(storage.canonical_json({"category": "advice", "split": "test", "prompt": "Why?"}) + "\n")
    storage.write_text(Path("data/models/tiny.json"), pins.written(pin_of(SOURCE, None)))
    after = resolved(declared)
    assert plan.to_obtain(after) == []
    for kind in ("models", "tasks", "benchmarks", "adapters", "answers"):
        stay = {cell.address for cell in before.of(kind)} & {cell.address for cell in after.of(kind)}
        assert all(name.startswith(("mini--", "mini_none--", "words--")) for name in stay), "organisms read none of them"


def test_a_declared_model_is_not_loaded(declared: Study, capsys: pytest.CaptureFixture[str]) -> None:
    load_model.cache_clear()
    (pack,) = [pack for pack in resolved(declared).packs("models") if "tiny" in pack.id]
    with pytest.raises(SystemExit):
        packs.fill(pack.id, pack.jobs(), "log.txt")
    said = capsys.readouterr().err
    assert "model.safetensors: not in the pin; loading would read it" in said and "`emsteer model pin` writes their digests" in said


def test_only_a_commit_says_which_bytes_a_model_without_files_has(declared: Study) -> None:
    said = Path("data/models/tiny.json").read_text().replace('"huggingface"', '"folder"')
    Path("data/models/folder.json").write_text(said)
    declared["models"]["tiny"] = {
        "kind": "folder", "path": "there", "dtype": "float32", "chat": {"system": None, "thinking": None},
        "pin": "data/models/folder.json",
    }  # fmt: skip
    assert "expected files: only a commit of the hub says by itself which bytes it is of" in mistakes(declared)


def test_a_card_with_mistakes_names_them(declared: Study) -> None:
    Path(f"{TASK}.card.yaml").write_text(yaml.safe_dump({**CARD, "n": 0, "of": 1}))
    said = mistakes(declared)
    assert f"{TASK}.card.yaml: " in said and "tasks.gardening.file" in said and "n: " in said and "of: " in said


def test_without_a_card_a_file_must_be_there(declared: Study) -> None:
    Path(f"{TASK}.card.yaml").unlink()
    assert "expected a file, its .dvc pointer or card (docs/data.md); there is none" in mistakes(declared)
