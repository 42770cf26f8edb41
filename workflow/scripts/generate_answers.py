"""Questions × settings → answers: fills in the missing cells of a pack."""

from emsteer.generation.answers import make_answers
from emsteer.packs import fill

fill(snakemake.params.pack, snakemake.params.cells, make_answers, snakemake.log[0])
