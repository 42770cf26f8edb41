"""Bytes on disk: atomic writes, digests, and the passport that every artifact carries.

Nothing here changes a file that exists. A passport is JSON inside the artifact (parquet and safetensors metadata, a
`passport.json` in a folder): kind, address, recipe, code digest, and the digest of the bytes of each input.

pandas, pyarrow and safetensors are imported by the functions that need them: planning needs none, and they take longer than it.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emsteer.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Passport = dict[str, Any]
PASSPORT = "emsteer"
NO_SECOND_NAME = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}  # another file system; one without links


def canonical_json(value: object) -> str:
    """The one spelling of a JSON value that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def files_of(path: Path) -> list[Path]:
    """The files of an artifact, in order; what Snakemake leaves in a folder is none of them."""
    if not path.is_dir():
        return [path]
    return [file for file in sorted(path.rglob("*")) if file.is_file() and file.name != LEFT_BY_SNAKEMAKE]


def size(path: Path) -> int:
    """Of all files of an artifact [bytes]."""
    return sum(file.stat().st_size for file in files_of(path))


def sha256(path: Path) -> str:
    """Digest of a file's bytes, or of a folder's names and bytes."""
    if path.is_dir():
        lines = [f"{sha256(file)} {file.relative_to(path).as_posix()}" for file in files_of(path)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a temporary sibling (file or folder) and renames it: readers see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    remove(temporary)
    write(temporary)
    temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    """Atomic; UTF-8 with line feeds."""
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode()))


def remove(path: Path) -> None:
    """Removes a file or a folder; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def link(source: Path, target: Path) -> None:
    """The same bytes under a second name (hard links, also inside folders): deleting one leaves the other.

    Where there can be no link, because the names lie on two file systems or on one that has none, the bytes are copied.
    """
    if not target.exists():
        _whole(source, target, _second_name)


def move(source: Path, target: Path) -> None:
    """Another name for a file or a folder; into another file system it is copied, and dropped when the copy is whole."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _whole(source, target, shutil.copyfile)
        remove(source)


def _whole(source: Path, target: Path, copy: Callable[[Any, Any], object]) -> None:
    if source.is_dir():
        write_atomically(target, lambda temporary: shutil.copytree(source, temporary, copy_function=copy))
    else:
        write_atomically(target, lambda temporary: copy(source, temporary))


def _second_name(source: Any, target: Any) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_SECOND_NAME:
            raise
        shutil.copyfile(source, target)


def write_parquet(frame: pd.DataFrame, path: Path, passport: Passport) -> None:
    """A table without index, its passport in the schema metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = {PASSPORT: canonical_json(passport)}
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata}), path, compression="zstd")


def read_parquet(path: Path) -> pd.DataFrame:
    """The table that `write_parquet` wrote."""
    import pyarrow.parquet as pq

    with _readable(path):
        return pq.read_table(path).to_pandas()


def write_parquet_parts(frames: Iterable[pd.DataFrame], path: Path, passport: Passport) -> None:
    """As `write_parquet`, a row group for each frame: a table that may be larger than memory. At least one frame."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    frames = iter(frames)
    first = pa.Table.from_pandas(next(frames), preserve_index=False)
    schema = first.schema.with_metadata({**(first.schema.metadata or {}), PASSPORT: canonical_json(passport)})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for frame in itertools.chain([first], (pa.Table.from_pandas(frame, schema, preserve_index=False) for frame in frames)):
            writer.write_table(frame.cast(schema), row_group_size=max(1, len(frame)))


def read_parquet_parts(path: Path, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """The row groups of a table, in their order; of all columns, or of some."""
    import pyarrow.parquet as pq

    with _readable(path), pq.ParquetFile(path) as file:
        for index in range(file.num_row_groups):
            yield file.read_row_group(index, columns).to_pandas()


def n_rows(path: Path) -> int:
    """Rows of a parquet file, without reading them."""
    import pyarrow.parquet as pq

    with _readable(path):
        return int(pq.read_metadata(path).num_rows)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What goes wrong while a parquet file is read is said with its path."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: cannot be read as parquet ({error}).\n  {REPAIR}") from error


def write_tensors(tensors: dict[str, Any], path: Path, passport: Passport) -> None:
    """Numpy arrays as safetensors, the passport in the header."""
    import numpy as np
    from safetensors.numpy import save_file

    in_order = {name: np.ascontiguousarray(array) for name, array in tensors.items()}  # others are saved in a wrong order, silently
    save_file(in_order, path, metadata={PASSPORT: canonical_json(passport)})


def read_tensors(path: Path) -> tuple[dict[str, Any], Passport]:
    """The arrays and the passport of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as stream:
            passport = json.loads((stream.metadata() or {}).get(PASSPORT, "{}"))
            return {name: stream.get_tensor(name) for name in stream.keys()}, passport  # noqa: SIM118 (not a mapping)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as safetensors ({error}).\n  {REPAIR}") from error


def write_json(value: object, path: Path) -> None:
    """Indented JSON, keys in the order given."""
    path.write_text(json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """A JSON file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error}).\n  {REPAIR}") from error


def read_passport(path: Path) -> Passport:
    """The passport of any artifact.

    Raises:
        DataError: It cannot be read, or holds none.
    """
    if path.is_dir():
        return read_json(path / "passport.json")
    if path.suffix == ".parquet":
        found = _parquet_passport(path)
    elif path.suffix == ".safetensors":
        found = read_tensors(path)[1]
    else:
        found = read_json(path).get("passport", {})
    if not found:
        raise DataError(f"{path}: holds no passport; it was not written by this study.\n  {REPAIR}")
    return found


def _parquet_passport(path: Path) -> Passport:
    import pyarrow.parquet as pq

    with _readable(path):
        return json.loads((pq.read_schema(path).metadata or {}).get(PASSPORT.encode(), b"{}"))


LEFT_BY_SNAKEMAKE = ".snakemake_timestamp"  # in every folder that a rule has made, once it is in place
REPAIR = "Delete it and run `snakemake` to make it again, or `dvc checkout` to restore it."
