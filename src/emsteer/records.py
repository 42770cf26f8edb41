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
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from emsteer import kernels, storage

SOURCE = Path(__file__).resolve().parents[1]
RECORD = ".run.json"  # ends the name of a run record
PACKAGES = {  # module → distribution
    "accelerate": "accelerate", "datasets": "datasets", "matplotlib": "matplotlib", "numpy": "numpy", "pandas": "pandas",
    "pandera": "pandera", "peft": "peft", "pyarrow": "pyarrow", "pydantic": "pydantic", "safetensors": "safetensors",
    "scipy": "scipy", "seaborn": "seaborn", "sklearn": "scikit-learn", "tokenizers": "tokenizers", "torch": "torch",
    "transformers": "transformers", "trl": "trl",
}  # fmt: skip


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
        "inputs": inputs,
        "seconds": round(seconds, 3),
        "cpu_s": round(cpu_s, 3),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "code": commit(),
        "runtime": runtime_class(),
    }


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
