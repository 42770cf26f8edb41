"""The typed shape of `params.yaml`."""

from emsteer.study.file import Study, parse, read
from emsteer.study.sweeps import BasePoint, FinetunedSweep, SteeredSweep

__all__ = ["BasePoint", "FinetunedSweep", "SteeredSweep", "Study", "parse", "read"]
