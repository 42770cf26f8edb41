"""Whether what a table compares was made on one kind of machine. A difference between arms could be one between machines otherwise.

Known from run records. The science does not ask: it sees recipe and inputs. `execution.mixes` names what may be mixed all the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emsteer.errors import StudyError, listing
from emsteer.records import Here, digits

Runtime = Mapping[str, Any]
LIBRARIES = ("torch", "transformers")  # that a forward pass goes through


def _device(runtime: Runtime) -> str:
    return str(runtime["device"]).partition(" ")[0]


def _dtype(runtime: Runtime) -> str:
    return str(runtime["dtype"])


def _cpu(runtime: Runtime) -> str:
    """Capability and pinned kernels; of what a card computed, nothing."""
    kernels = ", ".join(f"{name}={value}" for name, value in sorted(runtime.get("kernels", {}).items()))
    return f"{runtime['cpu']} ({kernels})" if _device(runtime) == "cpu" else ""


def _versions(runtime: Runtime) -> str:
    """Before the first dot, of the libraries that compute."""
    found = runtime["versions"]
    return ", ".join(f"{name} {found[name].partition('.')[0]}" for name in LIBRARIES if name in found)


ASPECTS: dict[str, Callable[[Runtime], str]] = {"device": _device, "dtype": _dtype, "cpu": _cpu, "versions": _versions}


def check(cells: Sequence[Mapping[str, Any]], here: Here) -> None:
    """Looks at the inputs of tables before they are made.

    Args:
        cells: `Pack.jobs()`, those that are missing.
        here: Run records.

    Raises:
        StudyError: Of one model, inputs in one role differ in an aspect that may not be mixed.
    """
    found = dict.fromkeys(one for cell in cells if cell["kind"] == "tables" for one in _mixed(cell, here))
    if found:
        aspects = ", ".join(name for name in ASPECTS if any(aspect == name for aspect, _ in found))
        raise StudyError(
            f"a table would compare what was made on different kinds of machine.\n{listing(line for _, line in found)}\n"
            "  Delete the fewer ones and make them again where the others were made; or let it be, and have it in your study file: "
            f"`execution.mixes: [{aspects}]`."
        )


def _mixed(cell: Mapping[str, Any], here: Here) -> Iterator[tuple[str, str]]:
    """Aspects, each with a line for people."""
    for role, group in cell["inputs"].items():
        by_model: dict[str, list[tuple[str, Runtime]]] = {}
        for address, path in group:
            record = here.record(Path(path))
            runtime, models = record.get("runtime", {}), record.get("inputs", {}).get("model")
            if models and "device" in runtime:  # what runs no model is where its pack was: random directions ask for no card
                by_model.setdefault(", ".join(map(digits, models)), []).append((address, runtime))
        for members in by_model.values():
            differing = _differences(members, cell.get("mixes", ()))
            yield from ((aspect, f"{aspect} of {role}: {line}") for aspect, line in differing)


def _differences(members: Sequence[tuple[str, Runtime]], allowed: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name, aspect in ASPECTS.items():
        values: dict[str, list[str]] = {}
        for address, runtime in members:
            values.setdefault(aspect(runtime), []).append(address)
        values.pop("", None)
        if name not in allowed and len(values) > 1:
            yield name, "; ".join(f"{value} in {len(found)}, such as {found[0]}" for value, found in values.items())
