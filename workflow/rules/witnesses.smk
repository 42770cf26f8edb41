"""Answers → values of every witness: copying, loops, closeness to the question.

INPUTS   results/answers/…  results/benchmarks/…  results/tasks/…  results/models/…
OUTPUTS  results/witnesses/{address}.parquet        schemas.Witnessed
"""


rule witnesses:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("witnesses"),
    message:
        "witnesses are complete"


for pack in PLAN.packs("witnesses"):

    rule:
        """One value for every answer."""
        name:
            f"witness_answers.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/witness_answers/{pack.name}.log",
        benchmark:
            f"benchmarks/witness_answers/{pack.name}.tsv"
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
            f"witness_answers {pack.name}: {pack.summary}"
        script:
            "../scripts/witness_answers.py"
