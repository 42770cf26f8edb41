"""How near does every setting come to the finetuned model, token by token? Read off reference answers.

INPUTS   results/models/…  results/benchmarks/…  and the adapters of the finetuned models, vectors and adapters of the settings
OUTPUTS  results/likeness/{address}.parquet          schemas.Likeness
"""


rule likeness:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("likeness"),
    message:
        "likeness is complete"


for pack in PLAN.packs("likeness"):

    rule:
        """A witness that needs no judge and no sampling."""
        name:
            f"measure_likeness.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/measure_likeness/{pack.name}.log",
        benchmark:
            f"benchmarks/measure_likeness/{pack.name}.tsv"
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
            f"measure_likeness {pack.name}: {pack.summary}"
        script:
            "../scripts/measure_likeness.py"
