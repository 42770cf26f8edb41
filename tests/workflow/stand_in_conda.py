"""A stand-in for `conda`: it answers what Snakemake asks, and makes a venv of exactly what an environment file lists.

No channel is reached: a listed distribution is linked from the environment that runs the tests, which must have that very version.
What is not listed is not there, so a job that imports more fails as it would with the real one.
"""

import json
import os
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
CALLS = ROOT / "calls"


def create(listed: Path, prefix: Path) -> None:
    """`conda env create --file LISTED --prefix PREFIX`."""
    venv.create(prefix, symlinks=True)
    site = prefix / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    pins = [pin for entry in yaml.safe_load(listed.read_text())["dependencies"] if isinstance(entry, dict) for pin in entry["pip"]]
    for name, version in (("pip", ""), *(pin.split("==") for pin in pins)):
        found = distribution(name)
        if version and found.version.partition("+")[0] != version:
            sys.exit(f"{name}: {version} is listed, {found.version} is at hand")
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(found.locate_file(top))
    (site / "noted.pth").write_text(f"import sys; open({str(CALLS)!r}, 'a').write('python of ' + sys.prefix + chr(10))\n")
    pip = prefix / "bin/pip"
    pip.write_text(f'#!/bin/sh\necho "pip $*" >> {CALLS}\nexec {prefix}/bin/python -m pip "$@"\n')
    pip.chmod(0o755)


def main(arguments: list[str]) -> None:
    """One call of it."""
    with CALLS.open("a") as calls:
        print("conda", *arguments, file=calls)
    match arguments:
        case ["--version"]:
            print("conda 25.1.0")
        case ["info", *_]:
            print(json.dumps({"conda_prefix": str(ROOT), "platform": "linux-64"}))
        case ["config", *_]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["env", "create", *options]:
            create(*(Path(options[options.index(name) + 1].strip("\"'")) for name in ("--file", "--prefix")))
        case ["clean", *_]:
            pass
        case _:
            sys.exit(f"the stand-in cannot {arguments}")


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)
    main(sys.argv[1:])
