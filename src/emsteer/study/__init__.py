"""The typed shape of `params.yaml`."""

from emsteer.study.file import PARAMS, Study, parse, read
from emsteer.study.sweeps import BasePoint, FinetunedSweep, SteeredSweep

__all__ = ["PARAMS", "BasePoint", "FinetunedSweep", "SteeredSweep", "Study", "parse", "read"]
