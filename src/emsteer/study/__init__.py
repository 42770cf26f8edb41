"""The typed shape of `params.yaml`."""

from emsteer.study.file import PARAMS, Execution, Study, parse, read
from emsteer.study.sweeps import BasePoint, FinetunedSweep, SteeredSweep

__all__ = ["PARAMS", "BasePoint", "Execution", "FinetunedSweep", "SteeredSweep", "Study", "parse", "read"]
