"""Tables of a study as data frames, for notebooks.

from emsteer import notebook
judged = notebook.table("judged")
"""

import contextlib
from importlib import import_module
from pathlib import Path

import pandas as pd

from emsteer import plan, schemas, study
from emsteer.errors import DataError
from emsteer.mistakes import meant


def table(name: str, folder: Path | str = ".") -> pd.DataFrame:
    """A table of the study in a folder, as its `params.yaml` asks for it: never one of an earlier version of it.

    Args:
        name: `judged`, `counts`, `rates`, `contrasts`, `chosen`, `questions`, `matched`, `dose_fits`, `thresholds`, `evidence`,
            `claims`, `witnesses` or `agreement`; `emsteer.schemas` says their columns.
        folder: Where `params.yaml` and `results/` lie.

    Raises:
        ConfigError: `params.yaml` cannot be read.
        DataError: The study has no such table, or it is not computed.
    """
    with contextlib.chdir(folder):
        planned = plan.resolve(study.read())
        found = {cell.address.partition("--")[0]: cell for cell in planned.of("tables")}
        found.pop("metrics")  # numbers for prose, no table
        if name not in found:
            raise DataError(f"{name}: no table of this study{meant(name, found)}\n  There are {', '.join(sorted(found))}.")
        path = Path(found[name].path)
        if not path.exists():
            raise DataError(f"{path}: not there.\n  Run `snakemake`, or `dvc pull {path}` if somebody else has computed it.")
        return schemas.read(path, import_module(found[name].recipe.module).SCHEMA)
