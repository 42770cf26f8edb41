"""Everything → one page: fills in the missing cells of a pack."""

from emsteer.packs import fill
from emsteer.report.page import make_report

fill(snakemake.params.pack, snakemake.params.cells, make_report, snakemake.log[0])
