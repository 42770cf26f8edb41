"""Tables of a study as data frames, for notebooks.

from emsteer import notebook
judged = notebook.table("judged")
"""

import contextlib
from pathlib import Path

import pandas as pd

from emsteer import plan, schemas, study
from emsteer.errors import DataError
from emsteer.mistakes import meant


def table(name: str, folder: Path | str = ".") -> pd.DataFrame:
    """A table of the study in a folder, as its `params.yaml` asks for it: never one of an earlier version of it.

    Args:
        name: `judged`, `counts`, `rates`, `contrasts`, `chosen`, `evidence`, `claims`, `witnesses` or `agreement`; the columns
            are those of `schemas.Judged` and so on.
        folder: Where `params.yaml` and `results/` lie.

    Raises:
        ConfigError: `params.yaml` cannot be read.
        DataError: The study has no such table, or it is not computed.
    """
    with contextlib.chdir(folder):
        planned = plan.resolve(study.read())
        found = {cell.address.partition("--")[0]: cell for cell in planned.of("tables")}
        named = {slug: getattr(schemas, slug.capitalize(), schemas.Rates) for slug in found if slug != "metrics"}
        if name not in named:
            raise DataError(f"{name}: no table of this study{meant(name, named)}\n  There are {', '.join(sorted(named))}.")
        path = Path(found[name].path)
        if not path.exists():
            raise DataError(f"{path}: not there.\n  Run `snakemake`, or `dvc pull {path}` if somebody else has computed it.")
        return schemas.read(path, named[name])
