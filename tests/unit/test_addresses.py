"""Addresses: a name that stands for everything an artifact's bytes can depend on."""

from pathlib import Path
from typing import Any

import pytest

from emsteer.errors import DataError
from emsteer.plan.addresses import address, raw_address
from emsteer.records import digits


def test_an_address_depends_on_every_part_and_not_on_the_order_of_keys() -> None:
    def of(kind: str = "answers", recipe: object = None, inputs: Any = None, code: str = "c") -> str:
        return address(kind, "slug", recipe or {"a": 1, "b": 2}, inputs or {"model": ["m--1"], "vector": ["v--2"]}, code)

    assert of() == of(recipe={"b": 2, "a": 1}) == of(inputs={"vector": ["v--2"], "model": ["other-name--1"]})
    variants = [of(), of("scores"), of(recipe={"a": 1, "b": 3}), of(inputs={"model": ["v--2"], "vector": ["m--1"]}), of(code="d")]
    assert len(set(variants)) == len(variants)
    assert all(name.startswith("slug--") and len(digits(name)) == 10 for name in variants)


def test_an_input_file_is_known_by_its_git_blob_or_by_the_md5_of_its_pointer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("hello\n")
    assert raw_address("text") == "text--git-ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object
    (tmp_path / "text.dvc").write_text("outs:\n- md5: b1946ac92492d2347c6235b4d2611184\n  path: text\n")
    assert raw_address("text") == "text--md5-b1946ac92492d2347c6235b4d2611184"
    (tmp_path / "text").unlink()
    assert raw_address("text").endswith("b1946ac92492d2347c6235b4d2611184"), "a clone plans before it pulls"


def test_a_pointer_that_is_not_of_the_bytes_beside_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "text.dvc").write_text("outs:\n- md5: b1946ac92492d2347c6235b4d2611184\n  path: text\n")
    assert raw_address("text").endswith("b1946ac92492d2347c6235b4d2611184")
    (tmp_path / "text").write_text("edited\n")
    with pytest.raises(DataError, match="dvc add text"):
        raw_address("text")
