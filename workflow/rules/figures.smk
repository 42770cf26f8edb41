"""Tables → figures.

INPUTS   results/tables/…
OUTPUTS  results/figures/{address}/
"""


rule figures:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("figures"),
    message:
        "figures are complete"


for pack in PLAN.packs("figures"):

    rule:
        """SVG, PNG and the plotted numbers."""
        name:
            f"draw_figures.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/draw_figures/{pack.name}.log",
        benchmark:
            f"benchmarks/draw_figures/{pack.name}.tsv"
        localrule: True
        conda:
            "../envs/study.yaml"
        params:
            pack=pack.id,
            cells=pack.jobs(),
        message:
            f"draw_figures {pack.name}: {pack.summary}"
        script:
            "../scripts/draw_figures.py"
