"""Everything → one page.

INPUTS   results/tables/…  results/figures/…  results/scores/…  results/answers/…
OUTPUTS  results/report/{address}/index.html
"""


rule report:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("report"),
    message:
        "report are complete"


for pack in PLAN.packs("report"):

    rule:
        """Verdicts, figures, rates, and answers side by side."""
        name:
            f"write_report.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/write_report/{pack.name}.log",
        benchmark:
            f"benchmarks/write_report/{pack.name}.tsv"
        localrule: True
        conda:
            "../envs/study.yaml"
        params:
            pack=pack.id,
            cells=pack.jobs(),
        message:
            f"write_report {pack.name}: {pack.summary}"
        script:
            "../scripts/write_report.py"
