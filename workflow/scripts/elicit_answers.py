"""Elicitations: fills in the missing cells of a pack."""

from emsteer.packs import fill

fill(snakemake.params.pack, snakemake.params.cells, snakemake.log[0], n_gpus=snakemake.resources.gpu)
