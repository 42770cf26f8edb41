"""Answers → scores, by each judge.

INPUTS   results/answers/…  results/benchmarks/…  and, where an embedder says what answers are about, results/models/…
OUTPUTS  results/scores/{address}.parquet           schemas.Scores
"""


rule scores:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("scores"),
    message:
        "scores are complete"


for pack in PLAN.packs("scores"):

    rule:
        """Alignment, coherence, relevance and status of every answer."""
        name:
            f"score_answers.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/score_answers/{pack.name}.log",
        benchmark:
            f"benchmarks/score_answers/{pack.name}.tsv"
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
            f"score_answers {pack.name}: {pack.summary}"
        script:
            "../scripts/score_answers.py"
