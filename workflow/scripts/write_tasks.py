"""Target tasks: fills in the missing cells of a pack."""

from emsteer.data.tasks import make_tasks
from emsteer.packs import fill

fill(snakemake.params.pack, snakemake.params.cells, make_tasks, snakemake.log[0])
