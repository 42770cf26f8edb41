"""Models: fills in the missing cells of a pack."""

from emsteer.organism.pretrain import make_models
from emsteer.packs import fill

fill(snakemake.params.pack, snakemake.params.cells, make_models, snakemake.log[0])
