"""Calibrations: the residual norms that doses refer to.

INPUTS   results/models/…  and the neutral text
OUTPUTS  results/calibrations/{address}.json
"""


rule calibrations:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("calibrations"),
    message:
        "calibrations are complete"


for pack in PLAN.packs("calibrations"):

    rule:
        """Median residual norm of every layer over a neutral text."""
        name:
            f"measure_calibrations.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/measure_calibrations/{pack.name}.log",
        benchmark:
            f"benchmarks/measure_calibrations/{pack.name}.tsv"
        conda:
            "../envs/study.yaml"
        resources:
            gpu=n_gpus(pack),
            mem_mb=mem_mb(pack),
            runtime=minutes(pack),
        params:
            pack=pack.id,
            cells=pack.jobs(),
        message:
            f"measure_calibrations {pack.name}: {pack.summary}"
        script:
            "../scripts/measure_calibrations.py"
