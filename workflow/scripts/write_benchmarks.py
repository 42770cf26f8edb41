"""Benchmarks: fills in the missing cells of a pack."""

from emsteer.data.benchmarks import make_benchmarks
from emsteer.packs import fill

fill(snakemake.params.pack, snakemake.params.cells, make_benchmarks, snakemake.log[0])
