"""Steering vectors: fills in the missing cells of a pack."""

from emsteer.interventions.vectors import make_vectors
from emsteer.packs import fill

fill(snakemake.params.pack, snakemake.params.cells, make_vectors, snakemake.log[0])
