"""Questions × settings → answers. A model is loaded once and fills in the cells that are missing.

INPUTS   results/models/…  results/benchmarks/…  and the vectors or adapters of the missing cells
OUTPUTS  results/answers/{address}.parquet          schemas.Answers
"""


rule answers:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("answers"),
    message:
        "answers are complete"


for pack in PLAN.packs("answers"):

    rule:
        """Base, steered, finetuned and random answers from one engine."""
        name:
            f"generate_answers.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/generate_answers/{pack.name}.log",
        benchmark:
            f"benchmarks/generate_answers/{pack.name}.tsv"
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
            f"generate_answers {pack.name}: {pack.summary}"
        script:
            "../scripts/generate_answers.py"
