"""Run records: the commit that holds the code, whether it was changed, what was read, and what it ran on."""

import platform
import subprocess
from pathlib import Path

import pytest

from emsteer import kernels, records, storage


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The `src` of a git repository with one commit."""
    folder = tmp_path / "repository/src"
    folder.mkdir(parents=True)
    (folder / "code.py").write_text("1\n")
    (folder.parent / "params.yaml").write_text("1\n")
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", "-A")
    git(folder, "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-q", "-m", "one")
    return folder


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def commit(source: Path) -> dict[str, object] | None:
    records.commit.cache_clear()
    return records.commit(source)


def test_the_commit_is_that_of_the_source_and_an_edit_or_a_new_file_in_it_makes_it_dirty(source: Path) -> None:
    head = git(source, "rev-parse", "HEAD")
    (source.parent / "params.yaml").write_text("2\n")
    assert commit(source) == {"commit": head, "dirty": False}, "parameters stand in the recipe"
    (source / "new.py").write_text("2\n")
    assert commit(source) == {"commit": head, "dirty": True}
    (source / "new.py").unlink()
    (source / "code.py").write_text("2\n")
    assert commit(source) == {"commit": head, "dirty": True}


def test_a_source_in_no_repository_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert commit(tmp_path) is None


def test_a_package_installed_into_the_environment_of_a_repository_has_no_commit_of_it(source: Path) -> None:
    (source.parent / ".gitignore").write_text(".venv/\n")
    installed = source.parent / ".venv/site-packages"
    installed.mkdir(parents=True)
    (installed / "code.py").write_text("1\n")
    assert commit(installed) is None


def test_the_runtime_class_names_versions_device_dtype_threads_and_kernels(tiny_model: object) -> None:
    found = records.runtime_class()
    assert {"torch", "transformers", "numpy"} <= set(found["versions"])
    assert (found["device"], found["dtype"], found["threads"]) == ("cpu", "float32", 1)
    assert (
        found["kernels"] == kernels.PINNED and found["cpu"] and found["processor"] == records.processor() and found["torch_build"]
    )


def test_a_record_holds_what_was_read_and_what_was_made(tmp_path: Path) -> None:
    inputs = {"model": {"tiny--0": "ab"}}
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").write_text("123")
    record = records.run_record("a--1", tmp_path / "a", inputs, 1.23456, 2.34567)
    assert (record["address"], record["inputs"], record["seconds"], record["cpu_s"]) == ("a--1", inputs, 1.235, 2.346)
    assert (record["sha256"], record["size"]) == (storage.sha256(tmp_path / "a"), 3)
    assert record["files"] == {"x": 3}
    assert set(record) == {"address", "sha256", "size", "files", "inputs", "seconds", "cpu_s", "finished", "code", "runtime"}


def test_a_processor_has_the_name_that_linux_gives_it(tmp_path: Path) -> None:
    first = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Xeon: Gold\n"
    text = f"{first}\nprocessor\t: 1\nmodel name\t: other\n"
    (tmp_path / "cpuinfo").write_text(text)
    assert records.processor(tmp_path / "cpuinfo") == "GenuineIntel 6 85 Xeon: Gold"
    assert records.processor(tmp_path / "none") == platform.processor()


def test_what_an_artifact_lacks_is_told_by_name_and_size(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "weights", "template"):
        (model / name).write_text(name)
    record = records.run_record("a--1", model, {}, 1, 1)
    assert records.differences(model, record) == ["sizes are the same"]
    (model / "template").unlink()
    (model / "weights").write_text("cut")
    (model / "mine").write_text("")
    assert records.differences(model, record) == [
        "template is not there",
        "weights has 3 bytes, 7 when it was made",
        "mine was not there",
    ]
    (tmp_path / "file").write_text("12")
    assert records.differences(tmp_path / "file", {"size": 3}) == ["2 bytes, 3 when it was made"]
