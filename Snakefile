"""Does a steering vector make a model broadly misaligned? params.yaml is the experiment; this is the table of contents."""

from snakemake.utils import min_version

min_version("9.27")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/tasks.smk"
include: "workflow/rules/benchmarks.smk"
include: "workflow/rules/embeddings.smk"
include: "workflow/rules/calibrations.smk"
include: "workflow/rules/elicitations.smk"
include: "workflow/rules/vectors.smk"
include: "workflow/rules/adapters.smk"
include: "workflow/rules/answers.smk"
include: "workflow/rules/margins.smk"
include: "workflow/rules/likeness.smk"
include: "workflow/rules/effects.smk"
include: "workflow/rules/witnesses.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/publish.smk"


rule all:
    """Every cell of the study, whatever its kind, and reports/ as they say."""
    default_target: True
    input:
        [path for kind in plan.KINDS for path in PLAN.paths(kind)],
        unpublished(),
    message:
        "the study is complete: open reports/index.html"
