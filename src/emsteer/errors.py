"""The errors that a person running the study is meant to read.

Every message says what is wrong, where, what was expected, what was found, and what to do. The command line and the
workflow scripts print the message alone; any other exception is a bug of ours and keeps its traceback.
"""

from collections.abc import Iterable


class StudyError(Exception):
    """Its message is for the person running the study."""


class ConfigError(StudyError):
    """`params.yaml` cannot be run as written."""


class DataError(StudyError):
    """An input or an artifact does not hold what it must hold."""


class ModelError(StudyError):
    """A model cannot be used the way the study asks."""


class BusyError(StudyError):
    """Another process is computing in this directory."""


def listing(mistakes: Iterable[str]) -> str:
    """Numbered lines, so that all mistakes can be shown at once."""
    return "\n".join(f"  {number}. {mistake}" for number, mistake in enumerate(mistakes, 1))
