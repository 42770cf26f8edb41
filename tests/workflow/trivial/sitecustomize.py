"""Trivial science, a stand-in for tests of the workflow only: a folder on PYTHONPATH, so that Python loads this at its start.

Plan, addresses, rules, packs, stages and commands are the real ones; so are the sources that code digests are made of. Only the
module that makes a kind of artifact is exchanged, when a job imports it, for one that writes what it was told to make.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path

SCIENCE = Path(__file__).with_name("science.py")


class Trivial(MetaPathFinder):
    """Finds every module of the package that has a `make(jobs)`."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The trivial module in the place of a module that makes artifacts; None: the others are the real ones."""
        if not name.startswith("emsteer."):
            return None
        real = PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        makes = real and real.origin and "\ndef make(jobs" in Path(real.origin).read_text(encoding="utf-8")
        return spec_from_file_location(name, SCIENCE) if makes else None


sys.meta_path.insert(0, Trivial())
