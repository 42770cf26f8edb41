"""A new study folder: complete, committed, without results, or not there at all."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from places import REPOSITORY
from planning import MINIATURE, Study, miniature, put

from emsteer import cli, plan, scaffold, study
from emsteer.errors import ConfigError, StudyError

COMPUTED = ("plan/answers.json", "reports/tables/rates.csv", "dvc.lock", "results/answers/a.parquet")
DATA = [str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "data").rglob("*") if path.is_file()]
OURS = (".gitignore", *DATA, "src/code.py", "params/other.yaml")


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture(autouse=True)
def _identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gitconfig").write_text("[user]\n\tname = test\n\temail = test@example.org\n\tuseConfigOnly = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study folder: tracked files, a new one (`src/code.py`), and everything that was computed."""
    root = tmp_path / "here"
    shutil.copytree(REPOSITORY / "data", root / "data")
    for name in COMPUTED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("computed")
    (root / ".gitignore").write_text("/results/\n/data/secret/\n")
    (root / "params").mkdir()
    shutil.copy(MINIATURE, root / "params/other.yaml")
    (root / "params.yaml").write_text("broken: [")
    monkeypatch.chdir(root)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    (root / "src").mkdir()
    (root / "src/code.py").write_text("")
    (root / "src/code.py").chmod(0o755)
    return root


def files_of(folder: Path) -> set[str]:
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if not name.startswith(".git/")}


def write(raw: Study, path: str = "params/other.yaml") -> Path:
    Path(path).write_text(yaml.safe_dump(raw, sort_keys=False))
    return Path(path)


def refused(target: Path, params: Path, error: type[StudyError] = StudyError) -> str:
    """What is said, once it is sure that nothing was created."""
    around = {str(path) for path in target.parent.rglob("*") if ".git/" not in str(path)}
    with pytest.raises(error) as caught:
        scaffold.start(target, params)
    assert {str(path) for path in target.parent.rglob("*") if ".git/" not in str(path)} == around
    return str(caught.value)


def test_a_new_folder_has_tracked_and_new_files_and_the_given_study_and_nothing_that_was_computed(here: Path) -> None:
    target = here.parent / "there"
    scaffold.start(target, Path("params/other.yaml"))
    assert files_of(target) == {*OURS, "params.yaml"}
    assert (target / "params.yaml").read_bytes() == MINIATURE.read_bytes()
    assert (target / "src/code.py").stat().st_mode & 0o111, "modes are kept"


def test_a_new_folder_is_a_git_repository_of_one_commit_with_nothing_left_to_commit(here: Path) -> None:
    target = here.parent / "there"
    scaffold.start(target, Path("params/other.yaml"))
    assert git("-C", str(target), "log", "--format=%s").splitlines() == ["A study from params/other.yaml and uncommitted files"]
    assert git("-C", str(target), "status", "--porcelain") == ""
    assert git("-C", str(target), "rev-parse", "--show-toplevel").strip() == str(target.resolve())


def test_its_commit_names_the_commit_that_it_was_started_from_where_that_says_it_all(here: Path) -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", "all of it")
    scaffold.start(here.parent / "there", Path("params/other.yaml"))
    said = git("-C", str(here.parent / "there"), "log", "--format=%s").strip()
    assert said == f"A study from params/other.yaml of {git('rev-parse', 'HEAD').strip()}"


def test_the_new_folder_plans_what_was_promised(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    promised = scaffold.start(here.parent / "there", Path("params/other.yaml"))
    monkeypatch.chdir(here.parent / "there")
    assert plan.resolve(study.read(Path("params.yaml"))).cells.keys() == promised.cells.keys()
    assert [cell.address for cell in plan.resolve(study.read(Path("params.yaml"))).all()] == [
        cell.address for cell in promised.all()
    ]


def test_an_empty_folder_is_filled_and_its_parents_are_made(here: Path) -> None:
    (here.parent / "empty").mkdir()
    for name in ("empty", "some/where/deep"):
        scaffold.start(here.parent / name, Path("params/other.yaml"))
        assert "params.yaml" in files_of(here.parent / name)


def test_a_folder_with_something_in_it_or_a_file_is_left_as_it_is(here: Path) -> None:
    (here.parent / "taken").mkdir()
    (here.parent / "taken/.hidden").write_text("mine")
    (here.parent / "file").write_text("mine")
    for name in ("taken", "file"):
        assert "there is something in it" in refused(here.parent / name, Path("params/other.yaml"))
    assert (here.parent / "taken/.hidden").read_text() == (here.parent / "file").read_text() == "mine"


@pytest.mark.parametrize("inside", ["deeper", "src/deeper", "../here/deeper"])
def test_a_study_does_not_stand_inside_another(here: Path, inside: str) -> None:
    assert "expected a folder outside it" in refused(Path(inside), Path("params/other.yaml"))


def test_a_study_with_mistakes_is_not_begun_and_all_of_them_are_named(here: Path) -> None:
    raw = miniature()
    put(raw, "sweeps.trained.layers", [7])
    put(raw, "answers.temperature", -1)
    said = refused(here.parent / "there", write(raw), ConfigError)
    assert "params/other.yaml: 2 mistakes" in said and "sweeps.trained.layers" in said and "answers.temperature" in said
    assert "no such file" in refused(here.parent / "there", Path("params/absent.yaml"), ConfigError)


def test_a_study_that_reads_what_git_ignores_is_not_begun(here: Path) -> None:
    (here / "data/secret").mkdir()
    for name in ("neutral.txt", "grammar.yaml"):
        shutil.copy("data/neutral/everyday.txt", f"data/secret/{name}")
    raw = miniature()
    put(raw, "calibration.neutral_text", "data/secret/neutral.txt")
    put(raw, "tasks.gardening.grammar", str(here / "data/secret/grammar.yaml"))
    said = refused(here.parent / "there", write(raw), ConfigError)
    assert "data/secret/neutral.txt" in said and "data/secret/grammar.yaml" in said and "git does not ignore" in said


def test_data_that_dvc_tracks_comes_along_with_its_pointer(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "data/big.txt").write_text("hello\n")
    (here / "data/big.txt.dvc").write_text("outs:\n- md5: b1946ac92492d2347c6235b4d2611184\n  path: big.txt\n")
    (here / "data/.gitignore").write_text("/big.txt\n")
    raw = miniature()
    put(raw, "calibration.neutral_text", "data/big.txt")
    params = write(raw)
    scaffold.start(here.parent / "there", params)
    assert {"data/big.txt", "data/big.txt.dvc"} <= files_of(here.parent / "there")
    assert "data/big.txt\n" not in git("-C", str(here.parent / "there"), "ls-files"), "but not into git"


def test_a_pointer_without_its_data_is_enough_as_it_is_in_a_clone(here: Path) -> None:
    (here / "data/big.txt.dvc").write_text("outs:\n- md5: b1946ac92492d2347c6235b4d2611184\n  path: big.txt\n")
    raw = miniature()
    put(raw, "calibration.neutral_text", "./data/big.txt")
    scaffold.start(here.parent / "there", write(raw))
    assert "data/big.txt.dvc" in files_of(here.parent / "there")


def test_only_the_top_of_a_git_repository_can_be_copied(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = here / "params/other.yaml"
    monkeypatch.chdir(here / "data")
    assert "not the top of a study" in refused(tmp_path / "there", params)
    (tmp_path / "plain").mkdir()
    monkeypatch.chdir(tmp_path / "plain")
    assert "Run in the folder of a study" in refused(tmp_path / "there", params)


def test_a_folder_without_git_gives_the_same_study_and_stays_as_it_is(here: Path, tmp_path: Path) -> None:
    """An unpacked archive; also one that was unpacked inside a repository of something else."""
    before = set(scaffold.study_files(here))
    shutil.rmtree(here / ".git")
    for outer in (False, True):
        if outer:
            git("init", "-q", str(tmp_path))
        listing = files_of(here)
        assert set(scaffold.study_files(here)) == before and files_of(here) == listing
        scaffold.start(target := tmp_path / f"there{outer}", Path("params/other.yaml"))
        assert git("-C", str(target), "log", "--format=%s").strip() == "A study from params/other.yaml, from a folder without git"
        assert files_of(target) == {*OURS, "params.yaml"}


def test_nothing_is_left_behind_when_git_cannot_commit(here: Path, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\necho no commits today >&2\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    known = (tmp_path / "gitconfig").read_text()
    (tmp_path / "gitconfig").write_text(f"{known}[core]\n\thooksPath = {hooks}\n")
    assert "no commits today" in refused(here.parent / "there", Path("params/other.yaml"))
    (tmp_path / "gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    git("config", "user.name", "known here only")
    git("config", "user.email", "here@example.org")
    assert "git config --global user.name" in refused(here.parent / "there", Path("params/other.yaml"))


def test_the_command_needs_no_valid_study_here_and_says_what_to_type_next(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["emsteer", "new", "../a study", "--from", "params/other.yaml"])
    cli.main()
    said = capsys.readouterr().out
    assert "  cd '../a study'\n  make study" in said
    monkeypatch.setattr(sys, "argv", ["emsteer", "plan"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "not YAML" in capsys.readouterr().err, "every other command is about the study that is here"


def test_a_git_hook_that_starts_a_study_does_not_mislead_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(here / ".git"))
    scaffold.start(here.parent / "there", Path("params/other.yaml"))
    monkeypatch.delenv("GIT_DIR")
    assert git("log", "--format=%s").splitlines() == ["first"]


def test_the_larger_grid_can_be_started_from_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    promised = scaffold.start(tmp_path / "full", Path("params/full.yaml"))
    assert {"Snakefile", "Makefile", "dvc.yaml", ".dvc/config", "src/emsteer/cli.py"} <= files_of(tmp_path / "full")
    assert [kind for kind in plan.KINDS if not promised.of(kind)] == ["elicitations", "witnesses"]
    assert not [name for name in files_of(tmp_path / "full") if name.startswith(scaffold.RESULTS_IN_GIT)]
