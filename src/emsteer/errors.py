"""The errors that a person running the study is meant to read.

Every message says what is wrong, where, what was expected, what was found, and what to do. The command line and the
workflow scripts print the message alone; any other exception is a bug of ours and keeps its traceback.
"""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

STOPPED = 130  # exit code after Ctrl-C, as of a shell
GO_ON = "Finished cells are kept: the same command goes on from there."
REFUSALS = {
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "Expected that you may read and write there: copy the folder to a place of yours, or ask its owner.\n"
        "  Looking needs no writing: `emsteer plan --status`, `emsteer lineage`.",
    ),
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT),
        "Make room, and run the same command again: finished cells are kept. `emsteer gc` deletes cells that were set aside.",
    ),
}  # what to do, where the file system refuses


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


@contextmanager
def refusals() -> Iterator[None]:
    """Around what writes: no permission, no room or a read-only file system is a StudyError, every other OSError what it was."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        raise StudyError(f"{error.filename or 'a file'}: {error.strerror}.\n  {REFUSALS[error.errno]}") from error


def listing(mistakes: Iterable[str]) -> str:
    """Numbered lines, so that all mistakes can be shown at once."""
    return "\n".join(f"  {number}. {mistake}" for number, mistake in enumerate(mistakes, 1))
