"""Bytes on disk: a reader sees all of an artifact or nothing, and a digest sees every byte and every name."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emsteer import storage
from emsteer.errors import DataError

PASSPORT = {"address": "a--0", "kind": "tables", "recipe": {"dose": 0.25, "note": "ℓ × μ"}, "inputs": {}}
FRAME = pd.DataFrame({"name": ["a", None, "ü"], "value": [0.1, None, 3.0], "count": [1, 2, 3]})
TENSORS = {"directions": np.arange(6, dtype=np.float32).reshape(2, 3), "layers": np.array([0, 4])}


class PowerCutError(Exception):
    """What stops a write half-way."""


def half_a_file(path: Path) -> None:
    path.write_text("half")
    raise PowerCutError


def half_a_folder(path: Path) -> None:
    path.mkdir()
    (path / "passport.json").write_text("{}")
    raise PowerCutError


@pytest.mark.parametrize("write", [half_a_file, half_a_folder])
@pytest.mark.parametrize("name", ["a--0.parquet", "a--0"])
def test_a_write_that_fails_half_way_leaves_nothing_that_a_reader_takes_for_the_target(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    target = tmp_path / "answers" / name
    with pytest.raises(PowerCutError):
        storage.write_atomically(target, write)
    assert not target.exists()
    assert all(left.name.startswith(".") and left.suffix == ".tmp" for left in target.parent.iterdir())


def test_a_write_that_fails_half_way_leaves_the_earlier_bytes(tmp_path: Path) -> None:
    storage.write_text(tmp_path / "index", "earlier")
    with pytest.raises(PowerCutError):
        storage.write_atomically(tmp_path / "index", half_a_file)
    assert (tmp_path / "index").read_text() == "earlier"


@pytest.mark.parametrize("write", [half_a_file, half_a_folder])
def test_a_write_after_one_that_failed_leaves_the_target_alone_in_its_folder(tmp_path: Path, write: Callable[[Path], None]) -> None:
    with pytest.raises(PowerCutError):
        storage.write_atomically(tmp_path / "index", write)
    storage.write_text(tmp_path / "index", "ü\n")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert (tmp_path / "index").read_bytes() == b"\xc3\xbc\n"


def folder(root: Path, files: list[tuple[str, bytes]]) -> Path:
    for name, content in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


FILES = [("a", b"1"), ("b", b"2"), ("sub/c", b"3")]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([("a", b"1"), ("b", b"2"), ("sub/c", b"4")], id="a byte"),
        pytest.param([("a", b"1"), ("b", b"2"), ("sub/d", b"3")], id="a name"),
        pytest.param([("a", b"1"), ("b", b"2"), ("c", b"3")], id="a place"),
        pytest.param([("a", b"2"), ("b", b"1"), ("sub/c", b"3")], id="two swapped"),
        pytest.param([*FILES, ("d", b"")], id="a new file"),
        pytest.param(FILES[:2], id="a file less"),
    ],
)
def test_the_digest_of_a_folder_changes_with_a_byte_a_name_or_a_file(tmp_path: Path, other: list[tuple[str, bytes]]) -> None:
    assert storage.sha256(folder(tmp_path / "one", FILES)) != storage.sha256(folder(tmp_path / "other", other))


def test_the_digest_of_a_folder_does_not_change_with_creation_order_or_place(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "one", FILES), folder(tmp_path / "deep/other", FILES[::-1])
    assert storage.sha256(one) == storage.sha256(other)


def test_the_digest_of_a_folder_does_not_change_with_the_order_of_its_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, listed = storage.sha256(folder(tmp_path, FILES)), Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda path, pattern: sorted(listed(path, pattern), reverse=True))
    assert storage.sha256(tmp_path) == digest


def test_deleting_one_of_two_names_of_a_file_leaves_the_other(tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(b"bytes")
    storage.link(tmp_path / "first", tmp_path / "new/second")
    assert (tmp_path / "first").samefile(tmp_path / "new/second")
    storage.remove(tmp_path / "first")
    assert (tmp_path / "new/second").read_bytes() == b"bytes"


def test_deleting_one_of_two_names_of_a_folder_leaves_the_other(tmp_path: Path) -> None:
    first, second = folder(tmp_path / "first", FILES), tmp_path / "second"
    storage.link(first, second)
    assert (first / "sub/c").samefile(second / "sub/c")
    digest = storage.sha256(first)
    storage.remove(first)
    assert not first.exists()
    assert storage.sha256(second) == digest


def test_linking_never_replaces_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(b"new")
    (tmp_path / "second").write_bytes(b"old")
    storage.link(tmp_path / "first", tmp_path / "second")
    assert (tmp_path / "second").read_bytes() == b"old"


def test_removing_a_link_to_a_folder_leaves_the_folder(tmp_path: Path) -> None:
    target = folder(tmp_path / "kept", FILES)
    (tmp_path / "link").symlink_to(target)
    storage.remove(tmp_path / "link")
    assert storage.sha256(target) == storage.sha256(folder(tmp_path / "again", FILES))


def written(kind: str, path: Path) -> Path:
    """An artifact of each kind."""
    if kind == "parquet":
        storage.write_parquet(FRAME, path := path / "a.parquet", PASSPORT)
    elif kind == "safetensors":
        storage.write_tensors(TENSORS, path := path / "a.safetensors", PASSPORT)
    elif kind == "json":
        storage.write_json({"residual_norms": [1.5], "passport": PASSPORT}, path := path / "a.json")
    else:
        (path := path / "a").mkdir()
        storage.write_json(PASSPORT, path / "passport.json")
    return path


@pytest.mark.parametrize("kind", ["parquet", "safetensors", "json", "folder"])
def test_a_passport_is_read_as_it_was_written(tmp_path: Path, kind: str) -> None:
    assert storage.read_passport(written(kind, tmp_path)) == PASSPORT


def test_tables_and_tensors_are_read_as_they_were_written(tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(storage.read_parquet(written("parquet", tmp_path)), FRAME)
    tensors, passport = storage.read_tensors(written("safetensors", tmp_path))
    assert passport == PASSPORT
    assert tensors.keys() == TENSORS.keys()
    assert all(np.array_equal(tensors[name], TENSORS[name]) and tensors[name].dtype == TENSORS[name].dtype for name in TENSORS)


def test_a_tensor_is_saved_as_it_reads_whatever_its_order_in_memory(tmp_path: Path) -> None:
    square = np.arange(6.0).reshape(2, 3)
    storage.write_tensors({"turned": square.T, "some": square[:, ::2]}, tmp_path / "a.safetensors", PASSPORT)
    tensors, _ = storage.read_tensors(tmp_path / "a.safetensors")
    assert np.array_equal(tensors["turned"], square.T) and np.array_equal(tensors["some"], square[:, ::2])


READERS: dict[str, Callable[[Path], Any]] = {
    "parquet": storage.read_parquet,
    "safetensors": storage.read_tensors,
    "json": storage.read_json,
}


@pytest.mark.parametrize("kind", ["parquet", "json"])
@pytest.mark.parametrize("share_kept", [0, 0.5, 0.95])
def test_a_truncated_file_is_an_error_that_names_it_and_says_what_to_do(tmp_path: Path, kind: str, share_kept: float) -> None:
    path = written(kind, tmp_path)
    path.write_bytes((whole := path.read_bytes())[: int(share_kept * len(whole))])
    with pytest.raises(DataError, match=r"(?s)a\.\w+: cannot be read as .*Delete it and run"):
        READERS[kind](path)


@pytest.mark.parametrize("kind", READERS)
def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match=r"absent: cannot be read"):
        READERS[kind](tmp_path / "absent")


@pytest.mark.parametrize("kind", READERS)
def test_the_same_content_is_the_same_bytes(tmp_path: Path, kind: str) -> None:
    (tmp_path / "again").mkdir()
    assert written(kind, tmp_path).read_bytes() == written(kind, tmp_path / "again").read_bytes()


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    one = {"b": [1, {"y": None, "x": "ü"}], "a": 0.1}
    other = {"a": 0.1, "b": [1, {"x": "ü", "y": None}]}
    assert storage.canonical_json(one) == storage.canonical_json(other) == '{"a":0.1,"b":[1,{"x":"ü","y":null}]}'
    assert json.loads(storage.canonical_json(one)) == one


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_has_not_is_refused(tmp_path: Path, number: float) -> None:
    for write in (storage.canonical_json, lambda value: storage.write_json(value, tmp_path / "a.json")):
        with pytest.raises(ValueError, match="JSON"):
            write({"deep": [number]})
    assert not (tmp_path / "a.json").exists()


def test_the_digest_of_a_folder_is_that_of_its_names_and_bytes_and_not_of_what_snakemake_leaves_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").write_text("1")
    before = storage.sha256(tmp_path / "a")
    (tmp_path / "a/.snakemake_timestamp").touch()
    assert storage.sha256(tmp_path / "a") == before
    (tmp_path / "a/x").rename(tmp_path / "a/y")
    assert storage.sha256(tmp_path / "a") != before


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-in for a folder on another file system: neither a second name nor a rename reaches it; siblings are renamed."""
    rename = Path.rename

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "rename", lambda old, new: rename(old, new) if old.parent == new.parent else refuse())


def filled(folder: Path) -> Path:
    (folder / "inner").mkdir(parents=True)
    (folder / "inner/file").write_bytes(b"bytes")
    return folder


def test_where_there_can_be_no_link_the_bytes_are_copied(apart: None, tmp_path: Path) -> None:
    folder = filled(tmp_path / "a/folder")
    for source in (folder, folder / "inner/file"):
        second = tmp_path / "b" / source.name
        storage.link(source, second)
        assert storage.sha256(second) == storage.sha256(source)
    assert {path.name for path in (tmp_path / "b").iterdir()} == {"folder", "file"}


def test_what_moves_to_another_file_system_is_whole_there_and_gone_here(apart: None, tmp_path: Path) -> None:
    folder = filled(tmp_path / "a/folder")
    (tmp_path / "b").mkdir()
    before = storage.sha256(folder)
    storage.move(folder, tmp_path / "b/folder")
    assert storage.sha256(tmp_path / "b/folder") == before and not folder.exists()
    storage.move(tmp_path / "b/folder/inner/file", tmp_path / "a/file")
    assert (tmp_path / "a/file").read_bytes() == b"bytes" and not (tmp_path / "b/folder/inner/file").exists()


def test_a_link_or_a_move_that_fails_for_another_reason_says_so(tmp_path: Path) -> None:
    for act in (storage.link, storage.move):
        with pytest.raises(FileNotFoundError):
            act(tmp_path / "nowhere", tmp_path / "second")
