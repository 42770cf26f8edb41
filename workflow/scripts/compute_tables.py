"""Scores → rates, contrasts, claims: fills in the missing cells of a pack."""

from emsteer.analysis.tables import make_tables
from emsteer.packs import fill

fill(snakemake.params.pack, snakemake.params.cells, make_tables, snakemake.log[0])
