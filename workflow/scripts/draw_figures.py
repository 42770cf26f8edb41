"""Tables → figures: fills in the missing cells of a pack."""

from emsteer.figures.draw import make_figures
from emsteer.packs import fill

fill(snakemake.params.pack, snakemake.params.cells, make_figures, snakemake.log[0])
