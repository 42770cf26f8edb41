"""Steering vectors: every construction, random directions of equal norm, and directions of equal KL.

INPUTS   results/models/…  results/tasks/…  results/calibrations/…  and the vectors that others are made of
OUTPUTS  results/vectors/{address}.safetensors      directions [layers × d_model] with a passport
"""


rule vectors:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("vectors"),
    message:
        "vectors are complete"


for pack in PLAN.packs("vectors"):

    rule:
        """One pass or one training run makes as many cells as it can."""
        name:
            f"build_vectors.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/build_vectors/{pack.name}.log",
        benchmark:
            f"benchmarks/build_vectors/{pack.name}.tsv"
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
            f"build_vectors {pack.name}: {pack.summary}"
        script:
            "../scripts/build_vectors.py"
