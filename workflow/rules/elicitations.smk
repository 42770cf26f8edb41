"""What models answer under contrasting system lines, and what a judge says of it: some vectors are made of that.

INPUTS   results/models/…  results/benchmarks/…  and, of scores, the answers among these cells
OUTPUTS  results/elicitations/{address}.parquet     schemas.Answers, schemas.Scores
"""


rule elicitations:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("elicitations"),
    message:
        "elicitations are complete"


for pack in PLAN.packs("elicitations"):

    rule:
        """Answers of one model, or one judge's scores of them."""
        name:
            f"elicit_answers.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/elicit_answers/{pack.name}.log",
        benchmark:
            f"benchmarks/elicit_answers/{pack.name}.tsv"
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
            f"elicit_answers {pack.name}: {pack.summary}"
        script:
            "../scripts/elicit_answers.py"
