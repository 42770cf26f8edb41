"""Teacher-forced margins: log p(unsafe) - log p(safe) on held-out questions, in every setting.

INPUTS   results/models/…  results/benchmarks/…  and the vectors or adapters of the missing cells
OUTPUTS  results/margins/{address}.parquet          schemas.Margins
"""


rule margins:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("margins"),
    message:
        "margins are complete"


for pack in PLAN.packs("margins"):

    rule:
        """A witness that needs no judge and no sampling."""
        name:
            f"measure_margins.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/measure_margins/{pack.name}.log",
        benchmark:
            f"benchmarks/measure_margins/{pack.name}.tsv"
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
            f"measure_margins {pack.name}: {pack.summary}"
        script:
            "../scripts/measure_margins.py"
