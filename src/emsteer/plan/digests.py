"""Code digests: the syntax of a module and of every module of the package that it imports.

Comments, docstrings and layout do not count; templates beside a module count whole. `__init__` modules (registries,
which load by name) and the modules of `INFRASTRUCTURE` are outside. Trees are written out by hand, because `ast.dump`
differs between Python versions. Sources are read by module name; nothing is imported.
"""

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

from emsteer.errors import StudyError

PACKAGE = "emsteer"
ROOT = Path(__file__).resolve().parents[2]
INFRASTRUCTURE = frozenset(
    f"{PACKAGE}.{name}" for name in ("errors", "mistakes", "storage", "progress", "recipes", "records", "schemas", "packs")
)
NOT_MEANING = {"type_comment", "kind", "type_params", "ctx"}  # fields that are layout, or exist in some Python versions only


def code_digest(*modules: str, root: Path = ROOT) -> str:
    """Sixteen hex digits over the import closure of `modules`.

    Raises:
        StudyError: A module does not exist.
    """
    closure: dict[str, str] = {}
    seen: set[str] = set()
    queue = list(modules)
    for name in modules:
        if source_of(name, root) is None:
            raise StudyError(f"{name}: no such module under {root}. The recipe that names it is wrong.")
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        path = source_of(name, root)
        if path is None or _is_infrastructure(name):
            continue
        closure[name], imported = _read(path, path.stat().st_mtime_ns)
        queue += imported
        closure |= {str(file.relative_to(root)): file.read_text(encoding="utf-8") for file in path.parent.glob("templates/*")}
    return hashlib.sha256(repr(sorted(closure.items())).encode()).hexdigest()[:16]


def _is_infrastructure(name: str) -> bool:
    return any(name == outside or name.startswith(f"{outside}.") for outside in INFRASTRUCTURE)


def source_of(module: str, root: Path = ROOT) -> Path | None:
    """The file of a module of the package; None for packages and for everything else."""
    if not module.startswith(f"{PACKAGE}."):
        return None
    path = root / f"{module.replace('.', '/')}.py"
    return path if path.is_file() else None


@functools.cache
def _read(path: Path, _version: int) -> tuple[str, list[str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return repr(_canonical(_without_docstrings(tree))), sorted(set(_imports(tree)))


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            del node.body[0]
    return tree


def _canonical(node: object) -> object:
    if isinstance(node, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(node) if name not in NOT_MEANING and value not in (None, [])]
        return [type(node).__name__, *([name, _canonical(value)] for name, value in sorted(fields, key=lambda field: field[0]))]
    if isinstance(node, list):
        return [_canonical(item) for item in node]
    return f"{type(node).__name__}:{node!r}"


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
