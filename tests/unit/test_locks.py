"""Locks: free when their holder is gone, and checked where file systems do not keep them. Those file systems are stand-ins."""

import errno
import fcntl
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from emsteer import locks
from emsteer.errors import BusyError, StudyError

MOUNT = "36 25 0:32 / {point} rw,relatime shared:1 - {kind} server:/export rw,vers=4.2{options}\n"
ON_ONE_MACHINE = [
    ("nfs", ",nolock"),
    ("nfs", ",local_lock=flock"),
    ("nfs4", ",local_lock=all"),
    ("lustre", ",localflock"),
    ("lustre", ""),
    ("fuse.sshfs", ""),
]
EVERYWHERE = [("nfs4", ",local_lock=none"), ("nfs", ""), ("lustre", ",flock"), ("ext4", ""), ("gpfs", ""), ("beegfs", "")]


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(locks.ELSEWHERE, raising=False)
    return tmp_path


def mount(monkeypatch: pytest.MonkeyPatch, study: Path, kind: str, options: str) -> None:
    """The folder of the study lies on a file system of this kind, as the kernel would tell."""
    file = study / "mountinfo"
    root = MOUNT.format(point="/", kind="ext4", options="")
    file.write_text(
        root + MOUNT.format(point=study, kind=kind, options=options) + MOUNT.format(point="/other", kind="tmpfs", options="")
    )
    monkeypatch.setattr(locks, "MOUNTS", file)


def test_a_lock_is_refused_while_held_and_free_when_its_holder_is_gone() -> None:
    held = locks.hold("snakemake", "busy")
    with pytest.raises(BusyError, match="busy"):
        locks.hold("snakemake", "busy")
    held.close()
    locks.hold("snakemake", "busy").close()


def test_cells_are_kept_from_other_processes_as_long_as_they_are_made_and_others_are_not() -> None:
    def free(address: str) -> bool:
        context = multiprocessing.get_context("fork")
        other = context.Process(target=_take, args=(address,))
        other.start()
        other.join()
        return other.exitcode == 0

    with locks.making(["b--2", "a--1"]):
        assert [free(address) for address in ("a--1", "b--2", "c--3")] == [False, False, True]
    assert free("a--1") and free("b--2")


def _take(address: str) -> None:
    with (locks.folder() / "cells").open("a") as stream:
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, locks._place(address))
        except BlockingIOError:
            os._exit(1)


def test_here_locks_keep_processes_apart() -> None:
    locks.check(one_machine=True)
    locks.check(one_machine=False)


@pytest.mark.parametrize(("kind", "options"), ON_ONE_MACHINE)
def test_locks_that_end_at_the_machine_do_for_one_machine_and_are_refused_for_several(
    study: Path, monkeypatch: pytest.MonkeyPatch, kind: str, options: str
) -> None:
    mount(monkeypatch, study, kind, options)
    locks.check(one_machine=True)
    with pytest.raises(StudyError, match=f"(?s)within one machine only on this file system .{kind}.*EMSTEER_LOCKS") as caught:
        locks.check(one_machine=False)
    assert "could make one cell twice" in str(caught.value)


@pytest.mark.parametrize(("kind", "options"), EVERYWHERE)
def test_locks_that_hold_everywhere_are_good_for_a_cluster(
    study: Path, monkeypatch: pytest.MonkeyPatch, kind: str, options: str
) -> None:
    mount(monkeypatch, study, kind, options)
    locks.check(one_machine=False)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_locks_do_not_work_at_all_it_is_said_on_one_machine_too(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuses(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.fcntl, "lockf", refuses)
    with pytest.raises(StudyError, match=r"results/\.locks: file locks do not work on this file system"):
        locks.check(one_machine=True)


def test_locks_that_let_everyone_in_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks.fcntl, "lockf", lambda *_: None)  # says yes and does nothing, as some network file systems do
    with pytest.raises(StudyError, match="do not work"):
        locks.check(one_machine=True)


def test_locks_may_lie_elsewhere_each_study_in_its_own_folder(
    study: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv(locks.ELSEWHERE, str(home))
    held = locks.hold("snakemake", "busy")
    assert not (study / "results").exists() and len(list(home.glob("*/snakemake"))) == 1
    monkeypatch.chdir(tmp_path_factory.mktemp("other"))
    locks.hold("snakemake", "busy").close()
    monkeypatch.chdir(study)
    with pytest.raises(BusyError):
        locks.hold("snakemake", "busy")
    held.close()


def test_a_folder_of_locks_that_cannot_be_made_is_one_message(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (study / "file").touch()
    monkeypatch.setenv(locks.ELSEWHERE, str(study / "file/locks"))
    with pytest.raises(StudyError, match="cannot be made"):
        locks.hold("snakemake", "busy")


def test_results_behind_a_link_that_leads_nowhere_are_named(study: Path) -> None:
    shutil.rmtree(study / "results", ignore_errors=True)
    (study / "results").symlink_to("/not/mounted")
    with pytest.raises(StudyError, match="results: a link to /not/mounted, which is not here"):
        locks.folder()
