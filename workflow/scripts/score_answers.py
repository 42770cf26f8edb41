"""Answers → scores, by each judge: fills in the missing cells of a pack."""

from emsteer.judging.scores import make_scores
from emsteer.packs import fill

fill(snakemake.params.pack, snakemake.params.cells, make_scores, snakemake.log[0])
