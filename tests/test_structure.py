"""The house keeps its shape: imports only flow down, rules say what they do, scripts stay thin, files stay short."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from places import REPOSITORY

from emsteer.plan import KINDS

SOURCE = REPOSITORY / "src/emsteer"
ROOMS = (  # from the ground up; a room imports only from rooms above it in this list
    "errors", "mistakes", "progress", "kernels", "devices", "locks", "storage", "records", "recipes", "study", "plan",
    "consistency", "mixing", "packs", "workspace", "declarations", "publishing", "shipping", "keeping", "stages",
    "recomputing", "scaffold", "acceptance", "schemas", "runtime", "organism", "data", "incoming", "models", "checking",
    "interventions", "finetune", "generation", "speaking", "pacing", "judging", "witnesses", "analysis", "figures", "labelling",
    "replying", "report", "lineage", "notebook", "commands", "cli",
)  # fmt: skip
WITHOUT_TORCH = {
    "errors", "mistakes", "progress", "kernels", "devices", "locks", "storage", "records", "recipes", "study", "plan",
    "consistency", "mixing", "packs", "workspace", "declarations", "publishing", "shipping", "keeping", "stages",
    "recomputing", "scaffold", "acceptance", "schemas", "analysis", "figures", "report", "lineage", "notebook", "commands", "cli",
}  # fmt: skip
MODULES = sorted(SOURCE.rglob("*.py"))
RULE_FILES = sorted((REPOSITORY / "workflow/rules").glob("*.smk"))
STAGES = [REPOSITORY / f"workflow/rules/{kind}.smk" for kind in KINDS]


def room(module: Path) -> str:
    return module.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_is_in_a_room() -> None:
    assert {room(module) for module in MODULES if module.parent != SOURCE or module.name != "__init__.py"} == set(ROOMS)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_only_flow_down(module: Path) -> None:
    if module == SOURCE / "__init__.py":
        return
    own = ROOMS.index(room(module))
    rooms = {name.split(".")[1] for name in imports(module) if name.startswith("emsteer.")}
    upward = {name for name in rooms if name in ROOMS and ROOMS.index(name) > own}
    assert not upward, f"{module} imports {upward} from above"


@pytest.mark.parametrize("name", ["snakemake", "dvc"])
def test_the_science_never_imports_the_workflow(name: str) -> None:
    assert not [module for module in MODULES if any(part.split(".")[0] == name for part in imports(module))]


def test_the_plan_and_the_pictures_never_import_torch() -> None:
    heavy = {"torch", "transformers", "peft", "trl"}
    assert not [
        module for module in MODULES if room(module) in WITHOUT_TORCH and heavy & {name.split(".")[0] for name in imports(module)}
    ]


def test_a_command_that_reads_no_table_starts_without_pandas_and_torch() -> None:
    program = "import sys, emsteer.cli; print(*(name for name in ('pandas', 'pyarrow', 'torch') if name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"


def test_only_interventions_touch_forward_hooks() -> None:
    assert {room(module) for module in MODULES if "register_forward" in module.read_text()} == {"interventions"}


def test_registries_hold_no_science() -> None:
    """`__init__` modules are outside every code digest, so a formula in one would be an undeclared dependency."""
    for module in MODULES:
        if module.name == "__init__.py":
            kinds = {type(node) for node in ast.parse(module.read_text()).body}
            assert kinds <= {ast.Expr, ast.Import, ast.ImportFrom, ast.Assign}, module


def test_files_and_functions_are_short() -> None:
    python = [*MODULES, *(REPOSITORY / "tests").rglob("*.py")]
    assert not {str(path): n for path in python if (n := len(path.read_text().splitlines())) > 300}
    long = {
        f"{path}:{node.name}": node.end_lineno - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 40
    }
    assert not long


def test_there_is_one_rule_file_and_one_dvc_stage_per_kind() -> None:
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    assert list(stages) == ["plan", *KINDS, "publish"]
    assert [path for path in STAGES if not path.exists()] == []
    for kind in KINDS:
        assert stages[kind]["cmd"] == f"emsteer stage {kind}"
        assert stages[kind]["outs"] == [{f"results/{kind}": {"persist": True}}], "DVC deletes outs that are not persisted"
    assert [next(iter(out)) for out in stages["plan"]["outs"]] == [f"plan/{kind}.json" for kind in KINDS]


def test_dvc_stages_depend_on_what_their_cells_read() -> None:
    from emsteer import plan, study

    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    cells = plan.resolve(study.read(REPOSITORY / "tests/studies/miniature/params.yaml"))
    for kind in KINDS:
        read = {other.kind for cell in cells.of(kind) for other in cell.upstream()} - {kind}
        assert {f"plan/{kind}.json"} | {f"results/{other}" for other in read} <= set(stages[kind]["deps"]), kind


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_a_rule_says_everything_that_a_reader_wants_to_know(path: Path) -> None:
    text = path.read_text()
    assert re.match(r'"""[^\n]+\n\nINPUTS .*\nOUTPUTS .*', text), "the contract stands at the top"
    script = re.search(r'"\.\./scripts/(\w+)\.py"', text)
    assert script is not None
    rule = script.group(1)
    assert f'f"{rule}.{{pack.name}}"' in text, "the rule has the name of its script"
    assert (REPOSITORY / f"workflow/scripts/{rule}.py").is_file()
    for directive in ("log:", "benchmark:", "message:", "conda:", "input:", "output:"):
        assert re.search(rf"^ +{directive}", text, re.M), directive
    assert re.search(r'rule:\n +"""[^"]+"""', text), "the rule has a docstring"
    assert "run:" not in text


def test_scripts_are_wiring() -> None:
    for path in (REPOSITORY / "workflow/scripts").glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        assert len(path.read_text().splitlines()) <= 40
        assert not [node for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If | ast.Try)], path


def test_the_snakefile_is_a_table_of_contents() -> None:
    text = (REPOSITORY / "Snakefile").read_text()
    assert len(text.splitlines()) <= 45
    assert re.findall(r"rules/(\w+)\.smk", text) == ["common", *KINDS, "publish"]


def test_every_input_file_of_ours_has_a_licence_row() -> None:
    readme = (REPOSITORY / "data/README.md").read_text()
    files = [path for path in (REPOSITORY / "data").rglob("*") if path.is_file() and path.name != "README.md"]
    assert [str(path) for path in files if f"`{path.relative_to(REPOSITORY)}`" not in readme] == []


def test_every_skip_has_a_row() -> None:
    rows = (REPOSITORY / "tests/SKIPS.md").read_text()
    marks = re.compile(r"mark\.skip|pytest\.skip|importorskip|mark\.xfail")
    skipping = [
        path for path in (REPOSITORY / "tests").rglob("test_*.py") if path != Path(__file__) and marks.search(path.read_text())
    ]
    assert [path.name for path in skipping if path.name not in rows] == []
