"""What else does a setting do to the model, and does its steering hold? Read off a quiz.

INPUTS   results/models/…  and the quiz, vectors and adapters of the settings
OUTPUTS  results/effects/{address}.parquet          schemas.Effects
"""


rule effects:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("effects"),
    message:
        "effects are complete"


for pack in PLAN.packs("effects"):

    rule:
        """Perplexity, a quiz with known answers, and what is left of a push; no sampling and no judge."""
        name:
            f"measure_effects.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/measure_effects/{pack.name}.log",
        benchmark:
            f"benchmarks/measure_effects/{pack.name}.tsv"
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
            f"measure_effects {pack.name}: {pack.summary}"
        script:
            "../scripts/measure_effects.py"
