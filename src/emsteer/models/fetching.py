"""`emsteer model fetch`: brings a model of the Hugging Face hub to this machine, and says in one sentence why it cannot.

Files land in the hub's cache, where loading looks for them. When a connection breaks, the hub's client asks for the rest of the
file; when it gives up, the files that came whole stay, and the next `emsteer model fetch` gets the others.
"""

import errno
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    DryRunError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from emsteer.errors import ModelError
from emsteer.models.sources import READ_BY_LOADING
from emsteer.recipes import Source

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of the disk, a user, a process
FETCHED = [*READ_BY_LOADING, "README.md"]  # the model card says the licence


def fetch(source: Source) -> Path:
    """The folder with the files of a model of the hub that loading may read; those that are there already are left.

    Raises:
        ModelError: It is not of the hub, or the hub has no such commit, or not for this user; no network; no room.
    """
    if source.kind != "huggingface":
        raise ModelError(f"a model of kind {source.kind} is not fetched; expected one of kind huggingface.")
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line for every request
    with _in_one_sentence(source):
        coming = snapshot_download(str(source.id), revision=source.revision, allow_patterns=FETCHED, dry_run=True)
        need = sum(file.file_size or 0 for file in coming if file.will_download)
        free = shutil.disk_usage(_there(Path(constants.HF_HUB_CACHE))).free
        if need > free:
            raise OSError(errno.ENOSPC, f"{need / 1e9:,.1f} GB are to come, {free / 1e9:,.1f} GB are free")
        return Path(snapshot_download(str(source.id), revision=source.revision, allow_patterns=FETCHED))


def _there(path: Path) -> Path:
    """The nearest folder above that exists already."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


@contextmanager
def _in_one_sentence(source: Source) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        cause = error.__cause__ if isinstance(error, DryRunError | LocalEntryNotFoundError) and error.__cause__ else error
        reason = _why(cause, str(source.id))
        if reason is None:
            raise
        raise ModelError(f"{source.id} at {source.revision}: {reason}") from None


def _why(error: BaseException, model: str) -> str | None:
    if isinstance(error, GatedRepoError):
        return (
            "its owners want their licence accepted first, by the user whose token this is.\n"
            f"  Accept it at {constants.ENDPOINT}/{model}, then `hf auth login`, or set HF_TOKEN to a token that may read it."
        )
    if isinstance(error, RevisionNotFoundError):
        return f"the hub has no such commit of it.\n  {constants.ENDPOINT}/{model}/commits/main lists those that there are."
    if isinstance(error, RepositoryNotFoundError):
        return "the hub has no such model, or it is private.\n  Look at its name; if private, `hf auth login` or set HF_TOKEN."
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so nothing is asked of the hub.\n  Unset it, or fetch it elsewhere and carry HF_HOME over."
    if isinstance(error, OSError) and error.errno in FULL:
        return (
            f"no room in {constants.HF_HUB_CACHE}: {error.strerror}.\n  Make room, or set HF_HOME to a larger disk. Files "
            "that came whole are kept."
        )
    of_the_network = isinstance(error, HfHubHTTPError | LocalEntryNotFoundError) or type(error).__module__.startswith("httpx")
    said = str(error).partition("\n")[0]
    return (
        f"the hub did not answer as it should ({said}).\n  Try again: files that came whole are kept." if of_the_network else None
    )
