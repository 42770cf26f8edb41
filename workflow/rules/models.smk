"""Models: organisms pretrained here, from the grammar.

INPUTS   data/grammar/…
OUTPUTS  results/models/{address}/
"""


rule models:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("models"),
    message:
        "models are complete"


for pack in PLAN.packs("models"):

    rule:
        """A pack trains one model; the folder is what `save_pretrained` writes."""
        name:
            f"pretrain_models.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/pretrain_models/{pack.name}.log",
        benchmark:
            f"benchmarks/pretrain_models/{pack.name}.tsv"
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
            f"pretrain_models {pack.name}: {pack.summary}"
        script:
            "../scripts/pretrain_models.py"
