"""Mirrors the published cells into reports/ and logs what changed."""

from pathlib import Path

from emsteer.publishing import publish

changed = publish(snakemake.params.cells)
Path(snakemake.log[0]).write_text("".join(f"{path}\n" for path in changed))
