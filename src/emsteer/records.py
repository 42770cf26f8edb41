"""Run records: what the bytes of an artifact may depend on besides its address, written beside it as `<artifact>.run.json`.

Address, digests of the artifact and of its inputs, the commit that holds the code, and the runtime class: processor kernels,
device, dtype, threads and versions. What takes no torch has no device and no kernels.
"""

import functools
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from emsteer import kernels, storage
from emsteer.errors import DataError

SOURCE = Path(__file__).resolve().parents[1]
RECORD = ".run.json"  # ends the name of a run record
PACKAGES = {  # module → distribution
    "accelerate": "accelerate", "datasets": "datasets", "matplotlib": "matplotlib", "numpy": "numpy", "pandas": "pandas",
    "pandera": "pandera", "peft": "peft", "pyarrow": "pyarrow", "pydantic": "pydantic", "safetensors": "safetensors",
    "scipy": "scipy", "seaborn": "seaborn", "sklearn": "scikit-learn", "tokenizers": "tokenizers", "torch": "torch",
    "transformers": "transformers", "trl": "trl",
}  # fmt: skip
Inputs = Mapping[str, Iterable[tuple[str, str]]]  # role → (address, path) of artifacts and input files, as `Cell.sources` has them


def digits(name: str) -> str:
    """The part of an address that identifies; the slug before it is for people."""
    return name.rpartition("--")[2]


def record_of(path: Path) -> Path:
    """The run record beside an artifact: versions, device, duration."""
    return path.with_name(path.name + RECORD)


def run_record(address: str, made: Path, inputs: Mapping[str, Mapping[str, str]], seconds: float, cpu_s: float) -> dict[str, Any]:
    """What is known of one run.

    Args:
        address: Of the artifact.
        made: The artifact; its size is in bytes.
        inputs: Role → address → sha256 of the bytes that were read.
        seconds: Wall clock, without what starting the process took.
        cpu_s: User and system time of the process and its children since the cell before; of the first one, since the start. [s]
    """
    return {
        "address": address,
        "sha256": storage.sha256(made),
        "size": storage.size(made),
        **({"files": sizes(made)} if made.is_dir() else {}),
        "inputs": inputs,
        "seconds": round(seconds, 3),
        "cpu_s": round(cpu_s, 3),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "code": commit(),
        "runtime": runtime_class(),
    }


def sizes(folder: Path) -> dict[str, int]:
    """Path in a folder → bytes, of the files of an artifact."""
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in storage.files_of(folder)}


def differences(path: Path, record: Mapping[str, Any]) -> list[str]:
    """What is wrong with an artifact that has other bytes than its run wrote, as far as sizes tell."""
    if not path.is_dir():
        return [f"{path.stat().st_size:,} bytes, {record['size']:,} when it was made"]
    now, then = sizes(path), record.get("files", {})
    missing = [f"{name} is not there" for name in then if name not in now]
    others = [
        f"{name} has {now[name]:,} bytes, {size:,} when it was made" for name, size in then.items() if now.get(name, size) != size
    ]
    return [*missing, *others, *(f"{name} was not there" for name in now if then and name not in then)] or ["sizes are the same"]


@functools.cache
def commit(source: Path = SOURCE) -> dict[str, Any] | None:
    """The commit of the source tree, and whether files in it differ from it; None where git does not track it.

    A package that was installed into the environment of a study lies in that study's repository, but is none of its files.
    """
    if not _git(source, "ls-files", "--", "."):
        return None
    return {"commit": _git(source, "rev-parse", "HEAD"), "dirty": bool(_git(source, "status", "--porcelain", "--", "."))}


def _git(source: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(["git", "-C", str(source), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return None if answer.returncode else answer.stdout.strip()


def runtime_class() -> dict[str, Any]:
    """Of this process: what it has imported is what its artifacts were made with."""
    found: dict[str, Any] = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for module, name in PACKAGES.items() if module in sys.modules},
    }
    runtime, torch = sys.modules.get("emsteer.runtime"), sys.modules.get("torch")
    if runtime and torch:
        found |= {
            **runtime.described(),
            "threads": torch.get_num_threads(),
            "cpu": torch.backends.cpu.get_cpu_capability(),
            "kernels": {name: os.environ.get(name) for name in kernels.PINNED},
            "processor": processor(),
            "torch_build": torch.version.git_version,
        }
    return found


@functools.cache
def processor(described: Path = Path("/proc/cpuinfo")) -> str:
    """Vendor, family, model and name of this machine's processor, as Linux tells them; elsewhere what Python knows."""
    if not described.exists():
        return platform.processor()
    first = described.read_text(encoding="utf-8").partition("\n\n")[0]
    values = dict(line.replace("\t", "").split(":", 1) for line in first.splitlines() if ":" in line)
    return " ".join(values[name].strip() for name in ("vendor_id", "cpu family", "model", "model name") if name in values)


@dataclass
class Here:
    """The artifacts that are here. Each run record is read once.

    Attributes:
        found: Path of an artifact → its run record; empty where there is none, or none that can be read.
    """

    found: dict[Path, Mapping[str, Any]] = field(default_factory=dict)

    def record(self, path: Path) -> Mapping[str, Any]:
        """Of an artifact."""
        if path not in self.found:
            self.found[path] = _read(record_of(path)) if path.exists() else {}
        return self.found[path]

    def others(self, record: Mapping[str, Any], inputs: Inputs) -> list[str]:
        """Addresses of the inputs that have other bytes here than those that an artifact was made from.

        Args:
            record: Of the artifact's run.
            inputs: Of the cell. Input files have no run record: their bytes are in their addresses.
        """
        made_from = {digits(name): digest for group in record.get("inputs", {}).values() for name, digest in group.items()}
        found = []
        for address, path in (pair for group in inputs.values() for pair in group):
            before, now = made_from.get(digits(address)), self.record(Path(path)).get("sha256")
            if before and now and before != now:
                found.append(address)
        return found


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = storage.read_json(path) if path.exists() else {}
    except DataError:
        return {}  # `emsteer verify` names it
    return found if isinstance(found, dict) else {}
