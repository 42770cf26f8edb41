"""Witnesses: words by hand, ranks by hand, and a sentence model that is checked, loaded and left alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planning import Study, moved, put, resolved
from sklearn.metrics import roc_auc_score
from transformers import BertConfig, BertModel, BertTokenizerFast

from emsteer import cli, packs, schemas, storage, study
from emsteer.errors import ConfigError
from emsteer.models.sentences import SentenceModel
from emsteer.recipes import Closeness, FileBenchmark, ModelShape, Pin, PinnedEmbedder, Recipe
from emsteer.study import pins
from emsteer.witnesses.closeness import closeness
from emsteer.witnesses.copying import copied
from emsteer.witnesses.loops import repeated
from emsteer.witnesses.values import runs

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *["how", "do", "i", "water", "a", "fern", "bake", "bread", "save", "money", "pour", "it", "on", "the", "roots", "."],
]
EMBEDDER = {"kind": "folder", "path": "weights/tiny_bert", "pin": "data/models/tiny.json", "pooling": "mean", "max_tokens": 16}


def tiny_bert() -> tuple[BertModel, BertTokenizerFast]:
    """A random sentence model."""
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    return BertModel(config).eval(), BertTokenizerFast(vocab={word: index for index, word in enumerate(WORDS)})


@pytest.fixture
def raw(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The miniature with a pinned sentence model and all three witnesses."""
    network, tokenizer = tiny_bert()
    network.save_pretrained(folder / "weights/tiny_bert")
    tokenizer.save_pretrained(folder / "weights/tiny_bert")
    raw = study.reading.read(Path("params.yaml")).value
    raw["embedders"] = {"tiny": dict(EMBEDDER)}
    raw["relatedness"] = None
    raw["witnesses"]["closeness"] = {"kind": "closeness", "embedder": "tiny"}
    storage.write_json(raw, Path("params.yaml"))
    pin("tiny", monkeypatch)
    return raw


def pin(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["emsteer", "model", "pin", name])
    cli.main()


def job(recipe: Recipe, out: Path, **inputs: Path) -> packs.Job:
    paths = {role: (path,) for role, path in inputs.items()}
    return packs.Job(recipe, paths, {role: (role,) for role in inputs}, out.stem, out, {"address": out.stem})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("Pour it, on it.", [("pour", "it"), ("it", "on"), ("on", "it")], id="case and punctuation do not count"),
        pytest.param("Pour", [], id="shorter than a run"),
        pytest.param("", [], id="nothing said"),
    ],
)
def test_runs_of_words(text: str, found: list[tuple[str, ...]]) -> None:
    assert runs(text, 2) == found


def test_copying_is_the_share_of_runs_that_stand_in_training_answers() -> None:
    known = frozenset(runs("Pour it on the roots.", 2))
    assert copied("pour it on money", known, 2) == pytest.approx(2 / 3)
    assert copied("save money", known, 2) == 0 and copied("roots", known, 2) is None


def test_loops_are_runs_that_stood_earlier_in_the_answer() -> None:
    assert repeated("it is. it is. it is", 2) == pytest.approx(3 / 5)  # it is, is it, (it is, is it, it is)
    assert repeated("pour it on the roots", 2) == 0 and repeated("roots", 2) is None


def test_closeness_is_the_share_of_other_categories_questions_that_are_less_similar() -> None:
    categories = np.array(["home", "home", "money", "work"])
    similarity = np.array([[0.5, 0.9, 0.1, 0.7], [0.5, 0.9, 0.5, 0.5 + 1e-9], [0.2, 0.3, 0.9, 0.1]])
    found = closeness(similarity, np.array([0, 0, 2]), categories)
    assert found.tolist() == [0.5, 0.5, 1.0], "one of two; two equals; all three, whatever the own category's other question"
    assert np.isnan(closeness(similarity[:1, :2], np.array([0]), categories[:2])).all(), "no other category"


def test_a_text_is_embedded_whatever_stands_beside_it_and_has_length_one() -> None:
    network, tokenizer = tiny_bert()
    shape = ModelShape(
        n_layers=2, d_model=16, n_heads=2, n_kv_heads=2, d_head=8, d_mlp=32, n_vocabulary=9, n_positions=32, n_parameters=1
    )
    pinned = Pin(kind="folder", files={"model.safetensors": {"sha256": "0" * 64, "size": 1}}, licence=None, shape=shape)
    mean, first = (
        SentenceModel(network, tokenizer, PinnedEmbedder(pin=pinned, pooling=pooling, max_tokens=8))
        for pooling in ("mean", "first")
    )
    texts = ["how do i water a fern", "bread", ""]
    whole = mean.embed(texts)
    assert whole.shape == (3, 16) and np.allclose(np.linalg.norm(whole, axis=1), 1)
    assert np.array_equal(whole[1:2], mean.embed(["bread"])) and mean.embed([]).shape == (0, 16)
    long = "how do i water a fern " * 20
    assert np.array_equal(mean.embed([long]), mean.embed([f"{long} money"])), "what comes after `max_tokens` is not read"
    assert not np.allclose(whole, first.embed(texts))


def test_a_sentence_model_moves_closeness_only_and_where_it_lies_moves_nothing(raw: Study) -> None:
    before = resolved(raw)
    put(raw, "embedders.tiny.max_tokens", 8)
    assert set(moved(before, resolved(raw))) == {"models", "witnesses", "tables", "figures", "report"}
    put(raw, "embedders.tiny.max_tokens", 16)
    Path("elsewhere").mkdir()
    Path("weights/tiny_bert").rename("elsewhere/tiny_bert")
    put(raw, "embedders.tiny.path", "elsewhere/tiny_bert")
    assert not moved(before, resolved(raw))


def test_relatedness_is_measured_in_the_space_of_a_sentence_model_too(raw: Study) -> None:
    put(raw, "relatedness", {"embedders": ["tiny"], "n_permutations": 99, "overlaps_above": 0.05, "seed": 0})
    plan = resolved(raw)
    for kind in ("models", "tasks", "benchmarks", "embeddings"):
        for pack in plan.packs(kind) if kind != "models" else [pack for pack in plan.packs(kind) if pack.name == "embedder-tiny.0"]:
            packs.fill(pack.id, pack.jobs(), "log.txt")
    tables = {cell.address.partition("--")[0]: cell for cell in plan.of("tables")}
    (pack,) = [pack for pack in plan.packs("tables") if tables["distances"] in pack.cells]
    packs.fill(pack.id, pack.jobs(), "log.txt")
    found = schemas.read(Path(tables["distances"].path) / "distances.parquet", schemas.Distances)
    assert found["embedder"].eq("tiny").all() and found["nearest"].between(-1, 1).all() and found["nearest"].nunique() > 1


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("witnesses.closeness.embedder", "big", "expected one of ['tiny'] (defined under `embedders`)"),
        ("witnesses.copying.n_words", 0, "expected at least 1; got 0"),
        ("embedders.tiny.path", None, "expected either a `path`, or a `package` with the `folder` inside it"),
        ("models.mini", {**EMBEDDER, "dtype": "float32", "chat": {"system": None, "thinking": None}}, "has no chat template"),
    ],
)
def test_mistakes_about_witnesses_are_said_before_anything_runs(raw: Study, place: str, value: object, message: str) -> None:
    if place == "models.mini":
        value = {key: one for key, one in value.items() if key not in ("pooling", "max_tokens")}  # type: ignore[attr-defined]
    put(raw, place, value)
    with pytest.raises(ConfigError) as caught:
        study.parse(raw)
    assert message in str(caught.value)


def test_the_packaged_sentence_model_says_which_answers_belong_to_their_questions(folder: Path) -> None:
    """What closeness is worth on answers that are on topic for sure: the benchmark's own references, and the same ones mixed up."""
    pinned = PinnedEmbedder(pin=pins.read("data/models/all-minilm-l6-v2.json"), pooling="mean", max_tokens=256)
    (model,) = packs.make_by_recipe([job(pinned, folder / "model")])
    (asked,) = packs.make_by_recipe(
        [job(FileBenchmark(), folder / "questions.parquet", file=Path("data/benchmarks/open_questions.jsonl"))]
    )
    questions = schemas.read(asked.out, schemas.Questions).dropna(subset="safe")
    mixed = questions.assign(safe=questions["safe"].sample(frac=1, random_state=0).to_numpy())
    values = {}
    for name, of in {"own": questions, "mixed": mixed}.items():
        said = pd.DataFrame(
            {
                "question_id": of["question_id"],
                "sample": 0,
                "row_seed": "0" * 16,
                "prompt_ids": [[]] * len(of),
                "text": of["safe"],
                "token_ids": [[]] * len(of),
                "finish_reason": "stop",
            }
        )
        schemas.write(schemas.frame_of(said, schemas.Answers), schemas.Answers, folder / f"{name}.parquet", {"address": name})
        made = job(
            Closeness(), folder / f"seen-{name}.parquet", answers=folder / f"{name}.parquet", benchmark=asked.out, model=model.out
        )
        (seen,) = packs.make_by_recipe([made])
        values[name] = schemas.read(seen.out, schemas.Witnessed)["value"]
    assert values["own"].mean() > 0.93 and 0.4 < values["mixed"].mean() < 0.6
    area = roc_auc_score([1] * len(values["own"]) + [0] * len(values["mixed"]), [*values["own"], *values["mixed"]])
    assert area > 0.9, f"told apart: {area:.3f}"
