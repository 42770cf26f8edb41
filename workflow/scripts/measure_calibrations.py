"""Calibrations: fills in the missing cells of a pack."""

from emsteer.interventions.calibrations import make_calibrations
from emsteer.packs import fill

fill(snakemake.params.pack, snakemake.params.cells, make_calibrations, snakemake.log[0])
