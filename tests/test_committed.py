"""What git holds besides code is true: the recorded plan, the published results, the lock of DVC and the README's numbers.

All of it is made by `make results`; a change of the science that is committed without it fails here.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from places import REPOSITORY, kept_bytes
from test_structure import imports

from emsteer import keeping, plan, publishing, shipping, storage, study, workspace
from emsteer.analysis.metrics import headline as headline_of
from emsteer.plan import KINDS, Plan
from emsteer.plan.digests import source_of
from emsteer.recipes import Organism
from emsteer.report import readme
from emsteer.study import reading

LOCK = yaml.safe_load((REPOSITORY / "dvc.lock").read_text())["stages"]
IN_GIT = {out["path"]: out for stage in LOCK.values() for out in stage["outs"] if out["path"].startswith(("plan/", "reports/"))}
IN_GIT.pop("reports/index.html")  # holds answers: DVC's
CURE = "run `make results` and commit what it changes"


@pytest.fixture(scope="module")
def shipped() -> Iterator[Plan]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        yield plan.resolve(study.read(Path("params.yaml")))


def test_the_recorded_plan_is_the_plan(shipped: Plan) -> None:
    recorded = {path: path.read_text(encoding="utf-8") for path in Path("plan").iterdir()}
    assert recorded == dict(workspace.plan_files(shipped)), CURE


def test_every_published_file_is_of_a_planned_cell_and_has_the_bytes_that_the_index_says(shipped: Plan) -> None:
    index = json.loads((REPOSITORY / "reports/index.json").read_text())
    planned = {cell.address for cell in publishing.published_cells(shipped)}
    assert {entry["from"] for entry in index.values()} <= planned, CURE
    for name in sorted(set(index) - {"index.html"}):
        assert hashlib.sha256((REPOSITORY / "reports" / name).read_bytes()).hexdigest() == index[name]["sha256"], CURE


@pytest.mark.parametrize("path", sorted(IN_GIT))
def test_the_lock_of_dvc_knows_the_files_that_git_holds(path: str) -> None:
    """DVC's digest of a folder is that of the list of its files, as JSON with sorted keys."""
    assert _md5(REPOSITORY / path) == IN_GIT[path]["md5"], CURE


def test_no_process_imports_torch_for_a_cell_or_two_but_to_train_a_model_and_to_let_it_speak(shipped: Plan) -> None:
    small = {pack.id: pack.cells for kind in KINDS for pack in shipped.packs(kind) if len(pack.cells) < 3}
    with_torch = {name for name, cells in small.items() if any(_imports_torch(cell.recipe.module) for cell in cells)}
    organisms = {f"models.{cell.pack}.0" for cell in shipped.of("models") if isinstance(cell.recipe, Organism)}
    assert with_torch == {*organisms, "elicitations.shared.0", "vectors.shared.elicited.0"}


def _imports_torch(module: str) -> bool:
    """Whether running the module imports it, directly or through what the module imports."""
    queue, seen = [module], {module}
    while queue:
        path = source_of(queue.pop())
        found = set(imports(path)) - seen if path else set()
        seen |= found
        queue += found
    return "torch" in seen


def test_the_readme_has_the_published_numbers() -> None:
    readme.check(REPOSITORY / "README.md", REPOSITORY / "reports/metrics.json", REPOSITORY / readme.REAL)


def test_what_dvc_compares_is_there_and_has_what_its_drawings_ask_for() -> None:
    declared = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())
    (metrics,) = declared["stages"]["publish"]["metrics"]
    headline = storage.read_json(REPOSITORY / next(iter(metrics)))
    assert headline == headline_of(storage.read_json(REPOSITORY / "reports/metrics.json")) and headline["verdicts"]
    images = [plot for plot in declared["plots"] if isinstance(plot, str)]
    drawings = [drawing for plot in declared["plots"] if not isinstance(plot, str) for drawing in plot.values()]
    assert images and all((REPOSITORY / image).exists() for image in images)
    for drawing in drawings:
        template = (REPOSITORY / f".dvc/plots/{drawing['template']}.json").read_text()
        used = set(re.findall(r"datum\.(\w+)", template)) | set(re.findall(r'"field": "(\w+)"', template)) - {"x", "y", "rev"}
        for table, column in drawing["y"].items():
            assert used | {column, drawing["x"]} <= set(pd.read_csv(REPOSITORY / table).columns)


def test_the_page_of_claims_has_the_published_verdicts(tmp_path: Path) -> None:
    page = tmp_path / "claims.md"
    page.write_text((REPOSITORY / readme.CLAIMS_PAGE).read_text())
    assert not readme.rewrite_claims(page, REPOSITORY / readme.CLAIMS), "run `make docs`"


def test_the_page_of_costs_has_what_the_study_took_and_it_was_foreseen(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text((REPOSITORY / readme.COST_PAGE).read_text())
    assert not readme.rewrite_cost(page, REPOSITORY / readme.COST), "run `make docs`"
    cost = pd.read_csv(REPOSITORY / readme.COST)
    planned = plan.resolve(study.read(REPOSITORY / "params.yaml"))
    assert dict(zip(cost["stage"], cost["cells"], strict=True)) == {
        kind: len(cells) for kind, cells in planned.cells.items() if cells
    }
    assert cost["estimated_core_s"].sum() == pytest.approx(cost["taken_core_s"].sum(), rel=0.3)


def test_the_page_of_claims_names_what_is_declared() -> None:
    declared = {*study.read(REPOSITORY / "params.yaml").claims}
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", (REPOSITORY / readme.CLAIMS_PAGE).read_text().partition("## Verdicts")[0]))
    figures = {path.stem for path in (REPOSITORY / "reports/figures").glob("*.svg")}
    assert named - figures <= declared and len(named & declared) > 10


@pytest.mark.parametrize("name", ["smollm", "full"])
def test_what_was_kept_of_a_study_is_what_it_published(name: str) -> None:
    kept = REPOSITORY / "published" / name
    for file, entry in storage.read_json(kept / publishing.INDEX.name).items():
        assert hashlib.sha256(kept_bytes(kept, file)).hexdigest() == entry["sha256"], file
    stamp = storage.read_json(kept / keeping.STAMP)
    assert re.fullmatch(rf"A study from params/{name}\.yaml of [0-9a-f]{{40}}", stamp["started_as"])


def test_git_holds_the_answers_and_scores_of_the_real_study_too() -> None:
    kept = REPOSITORY / "published/smollm"
    made, data = storage.read_json(kept / keeping.STAMP)["cells"], kept / shipping.SHIPPED.name
    assert storage.size(data) < 20e6 and "Model output." in (data / shipping.CARD).read_text()
    for kind in ("answers", "margins", "witnesses"):
        assert pd.read_parquet(data / f"{kind}.parquet")["cell"].nunique() == made[kind]


def test_the_labels_of_the_real_study_are_called_a_language_models() -> None:
    kept = (REPOSITORY / readme.REAL).parents[1]
    labelled_by = reading.read(kept / "params.yaml").value["judges"]["blind"]["by"]  # a file of the code that ran it
    assert "a language model" in labelled_by and labelled_by in (kept / "index.html").read_text()


def test_the_answers_and_scores_that_git_holds_are_all_that_the_plan_says_and_have_their_bytes(
    shipped: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = REPOSITORY / shipping.SHIPPED
    assert storage.size(data) < 20e6 and "Model output." in (data / shipping.CARD).read_text(), (
        "marked as such; git keeps it for ever"
    )
    monkeypatch.chdir(tmp_path)
    assert shipping.unpack(shipped, data).n_made == len(shipping.shipped(shipped)), (
        "run `emsteer export` and commit what it changes"
    )


def _md5(path: Path) -> str:
    if path.is_file():
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    files = [
        {"md5": _md5(file), "relpath": file.relative_to(path).as_posix()} for file in sorted(path.rglob("*")) if file.is_file()
    ]
    listed = json.dumps(sorted(files, key=lambda file: file["relpath"]), sort_keys=True)
    return f"{hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest()}.dir"
