"""The same bytes on another processor? `make emulate`: this machine's own, then QEMU's of several kinds (Debian's `qemu-user`).

A study of one organism with the default study's widths: two steps of pretraining, a vector, an adapter, a few answers, through
`packs.fill` as always. Each kind of artifact is made from this machine's bytes of the kinds before it, so that a digest speaks of
one step alone. Kernels are the pinned ones of `emsteer.kernels`, or what the environment says (`MKL_CBWR=COMPATIBLE make emulate`).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from emsteer import kernels, packs, plan, storage, study
from emsteer.plan import Cell

REPOSITORY = Path(__file__).parents[2]
MINIATURE, DEFAULT = REPOSITORY / "tests/studies/miniature/params.yaml", REPOSITORY / "params.yaml"
CPUS = ("Haswell", "EPYC-Milan")
WIDTHS = ("architecture", "n_layers", "d_model", "n_heads", "n_kv_heads", "d_head", "d_mlp", "batch_size")
STEPS = 2
PICKED = {  # kind → how the addresses begin
    "tasks": ("gardening",),
    "benchmarks": ("everyday",),
    "models": ("mini--",),
    "calibrations": ("mini--",),
    "vectors": ("mini.gardening.trained.s0.l1.e2--", "mini.gardening.mean_difference.s0--"),
    "adapters": ("mini.gardening.lora.s0.t2--",),
    "answers": tuple(f"mini.{arm}.everyday.b0" for arm in ("base", "gardening.trained.s0.l1.e2.a1", "gardening.lora.s0.t2.x1")),
}
MADE_ELSEWHERE = ("tasks", "benchmarks")  # by no torch


def parameters() -> dict[str, Any]:
    """The miniature with the default organism's widths."""
    raw = yaml.safe_load(MINIATURE.read_text(encoding="utf-8"))
    widths = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))["models"]["none"]
    raw["models"]["mini"] |= {name: widths[name] for name in WIDTHS} | {"steps": STEPS, "warmup_steps": 1}
    return raw


def make(folder: Path, given: Path | None) -> None:
    """Makes the cells in `folder`, each from what is in `given` as soon as its own digest is known; writes `digests.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "data").exists():
        shutil.copytree(REPOSITORY / "data", folder / "data")
    os.chdir(folder)
    planned = plan.resolve(study.parse(parameters()))
    digests = {}
    for kind, begins in PICKED.items():
        cells = [cell for cell in planned.of(kind) if cell.address.startswith(begins)]
        if given is None or kind not in MADE_ELSEWHERE:
            packs.fill(kind, [cell.job() for cell in cells], "log.txt")
            digests |= {f"{kind} {cell.address.partition('--')[0]}": storage.sha256(Path(cell.path)) for cell in cells}
        if given is not None:
            for cell in cells:
                as_given(cell, given)
    storage.write_json(digests, Path("digests.json"))


def as_given(cell: Cell, given: Path) -> None:
    """Puts the other machine's bytes in place; the own ones go to `made/`."""
    path, aside = Path(cell.path), Path("made", cell.path)
    for folder in (path.parent, aside.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.rename(aside)
    (shutil.copytree if (given / path).is_dir() else shutil.copyfile)(given / path, path)


def run(folder: Path, cpu: str | None, given: Path | None) -> dict[str, str]:
    """In a process of its own, emulated where a processor is named."""
    emulated = ["qemu-x86_64", "-cpu", cpu] if cpu else []
    command = [*emulated, sys.executable, __file__, "--into", str(folder), *(["--given", str(given)] if given else [])]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(f"{' '.join(command)}\n{answer.stderr[-2000:]}")
    return json.loads((folder / "digests.json").read_text(encoding="utf-8"))


def main() -> None:
    """Prints a digest per artifact and processor, and which differ from this machine's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", nargs="+", default=list(CPUS), help="as `qemu-x86_64 -cpu help` lists them")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--given", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.into:
        make(asked.into, asked.given)
        return
    if not shutil.which("qemu-x86_64"):
        sys.exit("make emulate: no qemu-x86_64 here. On Debian: `apt-get install qemu-user`.")
    with tempfile.TemporaryDirectory() as scratch:
        own = run(Path(scratch) / "own", None, None)
        others = {cpu: run(Path(scratch) / cpu, cpu, Path(scratch) / "own") for cpu in asked.cpu}
    print(f"kernels: {' '.join(f'{name}={os.environ[name]}' for name in kernels.PINNED)}\n")
    print("| artifact | here |" + "".join(f" {cpu} |" for cpu in others))
    print("|---|---|" + "---|" * len(others))
    for name in [name for name in own if all(name in of for of in others.values())]:
        found = ["same" if of[name] == own[name] else of[name][:10] for of in others.values()]
        print(f"| {name} | {own[name][:10]} | {' | '.join(found)} |")


if __name__ == "__main__":
    main()
