"""`emsteer generate` and `emsteer ask`: any model, any vectors, without a study."""

import io
import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

from emsteer import cli, schemas, storage
from emsteer.errors import ConfigError, DataError, ModelError
from emsteer.generation.engine import PackedEngine
from emsteer.generation.rows import Row
from emsteer.generation.sampling import row_seed
from emsteer.interventions.hooks import Push
from emsteer.interventions.maps import MapPush
from emsteer.models.load import LanguageModel
from emsteer.models.pinned import PIN
from emsteer.models.pinning import pin_of
from emsteer.recipes import Chat, PinnedModel, Sampling, Source
from emsteer.speaking import ask, generate, models, settings

DRAWN = Sampling(temperature=1.0, max_new_tokens=8)
QUESTIONS = [
    {"question_id": "one", "prompt": "how do i cook rice ?"},
    {"prompt": "what now ?", "category": "money", "system": "be brief ."},
]


@pytest.fixture(scope="module")
def shelf(tiny_model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder, a direction, a vector file of a study, a map, an adapter, questions and settings."""
    folder, d = tmp_path_factory.mktemp("shelf"), tiny_model.d_model
    tiny_model.network.save_pretrained(folder / "model")
    tiny_model.tokenizer.save_pretrained(folder / "model")
    generator = torch.Generator().manual_seed(0)
    save_file({"v": 3 * torch.randn(d, generator=generator).bfloat16()}, folder / "one.safetensors")
    two = {"directions": np.ones((2, d), dtype=np.float32) * [[1], [5]], "layers": np.array([0, 2])}
    storage.write_tensors(
        {**two, "directions": two["directions"].astype(np.float32)}, folder / "two.safetensors", {"kind": "vectors"}
    )
    parts = {"down": np.ones((1, d)), "up": np.ones((d, 1)), "bias": np.zeros(1)}
    a_map = {name: part.astype(np.float32) for name, part in parts.items()} | {"directions": np.ones((1, d), dtype=np.float32)}
    storage.write_tensors({**a_map, "layers": np.array([1])}, folder / "map.safetensors", {"kind": "vectors"})
    network = models.find(str(folder / "model")).load("float32", Chat(system=None, thinking=None)).network
    torch.manual_seed(0)
    lora = LoraConfig(target_modules=["q_proj", "up_proj"], init_lora_weights=False)
    get_peft_model(network, lora).save_pretrained(folder / "lora")
    (folder / "questions.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in QUESTIONS))
    (folder / "settings.yaml").write_text(
        f"settings:\n  base: {{}}\n  harsh: {{steered: [{{vector: {folder}/one.safetensors, layer: 1, dose: 2}}]}}\n"
        f"  both:\n    steered: [{{vector: {folder}/two.safetensors, layer: 2, dose: 1, positions: answer}}]\n"
        f"    adapter: {{folder: {folder}/lora, scale: 0.5}}\n"
    )
    return folder


@pytest.fixture
def emsteer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command in a folder that is no study; what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, fails: bool = False, typed: str = "") -> str:
        monkeypatch.setattr(sys, "argv", ["emsteer", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) if fails else nullcontext():
            cli.main()
        said = capsys.readouterr()
        return said.err if fails else said.out

    return run


def test_answers_of_all_settings_are_those_of_the_engine_and_say_what_they_are_of(shelf: Path, tmp_path: Path) -> None:
    asked = generate.Asked(shelf / "questions.jsonl", settings.read(shelf / "settings.yaml"), DRAWN, 2, seed=7)
    named = models.find(str(shelf / "model"))
    model = named.load("float32", Chat(system=None, thinking=None))
    said = generate.generate(model, named, asked, tmp_path / "answers.parquet")
    assert "12 answers, 3 settings of 2 questions" in said and "a second" in said
    table = schemas.read(tmp_path / "answers.parquet", schemas.Generated)
    assert [*table["setting"].unique()] == ["base", "harsh", "both"]
    assert table["system"].dropna().unique().tolist() == ["be brief ."]
    for row in table.itertuples():
        seed = row_seed(7, row.question_id, row.sample)
        alone = Row(tuple(row.prompt_ids), seed, settings.changes_of(asked.settings[row.setting]))
        ((_, completion),) = PackedEngine(model).generate([alone], DRAWN)
        assert tuple(row.token_ids) == completion.token_ids
    assert table.groupby("setting")["text"].apply(tuple).nunique() == 3
    passport = storage.read_passport(tmp_path / "answers.parquet")
    assert passport["settings"]["harsh"]["steered"][0]["dose"] == 2 and passport["seed"] == 7
    assert passport["model"]["sha256"]["model.safetensors"] == storage.sha256(shelf / "model/model.safetensors")
    assert passport["sha256"][str(shelf / "lora")] == storage.sha256(shelf / "lora")
    assert passport["versions"]["torch"] == version("torch") and passport["dtype"] == "float32"


def test_what_a_vector_file_holds_is_what_is_pushed(shelf: Path) -> None:
    def steer(file: str, layer: int, dose: float = 2) -> object:
        (found,) = settings.changes_of(settings.one(str(shelf / file), layer, dose, "all")).steers
        return found

    one, two, a_map = steer("one.safetensors", 0), steer("two.safetensors", 2), steer("map.safetensors", 1)
    assert isinstance(one, Push) and one.delta.dtype == torch.float32 and one.delta.norm() > 20
    assert isinstance(two, Push) and two.delta.tolist() == [10.0] * len(two.delta)
    assert isinstance(a_map, MapPush) and a_map.map.up.unique().tolist() == [2.0]
    with pytest.raises(DataError, match=r"holds directions for layers \[0, 2\], not for layer 1"):
        steer("two.safetensors", 1)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: save_file({"a": torch.ones(2, 3)}, path), r"expected one direction \[d_model\].*got a \(2, 3\)"),
        (lambda path: save_file({"a": torch.ones(3), "b": torch.ones(3)}, path), r"got a \(3,\), b \(3,\)"),
        (lambda path: torch.save(torch.ones(3), path), "cannot be read as safetensors"),
    ],
)
def test_a_file_that_holds_no_direction_is_refused(tmp_path: Path, write: Callable[[Path], None], said: str) -> None:
    write(tmp_path / "v.safetensors")
    with pytest.raises(DataError, match=said):
        settings.changes_of(settings.one(str(tmp_path / "v.safetensors"), 0, 1, "all"))


def test_every_mistake_in_a_settings_file_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("settings:\n  a: {steered: [{vector: nowhere.safetensors, layer: -1, dose: high}]}\n  b: {adaptor: {}}\n")
    with pytest.raises(ConfigError) as refused:
        settings.read(file)
    said = str(refused.value)
    assert "4 mistakes; nothing was run" in said and "line 2, settings.a.steered.0.vector: expected a file; there is none" in said
    assert "line 2, settings.a.steered.0.layer: expected at least 0" in said and "line 3, settings.b.adaptor: unknown key" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("there.parquet", "it exists"),
        ("new.csv", "it ends in '.csv'"),
        ("no/new.parquet", "no such folder"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "there.parquet").write_text("mine")
    with pytest.raises(ConfigError, match=said):
        generate.check_target(tmp_path / name)
    assert (tmp_path / "there.parquet").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "no such folder, GGUF file, or name"),
        ("owner/name", "not in the hub's cache"),
        (".", r"holds no \*.safetensors"),
    ],
)
def test_a_model_that_is_not_here_is_refused(name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=said):
        models.find(name)


def test_a_studys_model_speaks_as_in_its_study(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin = pin_of(Source(kind="folder"), shelf / "model")
    pinned = PinnedModel(pin=pin, dtype="float32", chat=Chat(system="be kind .", thinking=False))
    (tmp_path / "model").mkdir()
    storage.write_json(pinned.model_dump(mode="json"), tmp_path / "model" / PIN)
    with pytest.raises(ModelError, match=r"only params.yaml says where its files lie"):
        models.find(str(tmp_path / "model"))
    named = models.Named("it", tmp_path / "model", Source(kind="folder"))
    with pytest.raises(ModelError, match="in float32, not in bfloat16"):
        named.load("bfloat16", Chat(system=None, thinking=None))
    load_model = models.load_model
    monkeypatch.setattr(
        models, "load_model", lambda folder: load_model(folder, shelf / "model")
    )  # a file's place is the study's to say
    assert named.load(None, Chat(system=None, thinking=None)).chat == pinned.chat
    assert named.load(None, Chat(system="be brief .", thinking=None)).chat == Chat(system="be brief .", thinking=False)


def test_a_conversation_follows_one_side_and_draws_again(shelf: Path) -> None:
    model = models.find(str(shelf / "model")).load("float32", Chat(system="be kind .", thinking=None))
    changes = settings.changes_of(settings.one(str(shelf / "one.safetensors"), 1, 2.0, "all"))
    talks = [ask.Conversation(model, changes, DRAWN, 0, follows) for follows in ask.SIDES]
    first = [talk.ask("how do i cook rice ?") for talk in talks]
    assert first[0] == first[1] and first[0][0] != first[0][1]
    assert [talk.turns for talk in talks] == [[("how do i cook rice ?", of)] for of in first[0]]
    second = [talk.ask("what now ?") for talk in talks]
    for talk, followed, answers in zip(talks, first[0], second, strict=True):
        history = [("user", "how do i cook rice ?"), ("assistant", followed), ("user", "what now ?")]
        ids = model.chat_ids([{"role": role, "content": text} for role, text in history])
        assert len(ids) > 20 and ids == model.tokenizer(model.tokenizer.decode(ids), add_special_tokens=False)["input_ids"]
        rows = [Row(tuple(ids), row_seed(0, "1", 0), of) for of in talk.changes]
        said = dict(PackedEngine(model).generate(rows, DRAWN))
        assert answers == tuple(model.text(list(said[index].token_ids)) for index in range(2))
    assert talks[0].again() != second[0] and len(talks[0].turns) == 2
    talks[0].forget()
    assert talks[0].again() is None and talks[0].ask("how do i cook rice ?") == first[0]


def test_texts_stand_side_by_side_and_none_is_cut() -> None:
    left, right = "word " * 30, "one\n\ntwo"
    page = ask.side_by_side((left, right), 80)
    columns = [[part.rstrip() for part in line.partition(" │")[::2]] for line in page.splitlines()]
    assert max(map(len, page.splitlines())) <= 80
    assert " ".join(line for line, _ in columns[2:] if line).split() == left.split()
    assert [line.strip() for _, line in columns[2:5]] == ["one", "", "two"]


def test_the_commands_run_outside_of_a_study(shelf: Path, tmp_path: Path, emsteer: Callable[..., str]) -> None:
    target = tmp_path / "answers.parquet"
    files = ("--settings", shelf / "settings.yaml", "--questions", shelf / "questions.jsonl", "--out", target)
    more = ("--model", shelf / "model", "--max-new-tokens", 4)
    assert "6 answers" in emsteer("generate", *files, *more, "--greedy")
    assert "it exists" in emsteer("generate", *files, *more, fails=True)
    vector = ("--vector", shelf / "one.safetensors", "--layer", 1, "--dose", 2)
    said = emsteer("ask", *more, *vector, typed="what now ?\n/again\n/what\n/forget\n/again\n\n/quit\nnever\n")
    assert said.count("│") >= 6 and "> what now ?" in said and "Nothing was asked yet." in said and "never" not in said
    said = emsteer("ask", *more, "--vector", "nowhere", "--layer", -1, "--dose", "nan", fails=True)
    assert "3 mistakes" in said and "Traceback" not in said
