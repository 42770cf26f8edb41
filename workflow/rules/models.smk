"""Models: organisms pretrained here, and the pins of models that exist already, whose files stay where they are.

INPUTS   data/grammar/… of organisms
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
        """A pack is one model: what `save_pretrained` writes of an organism, or a pin.json whose digests were checked."""
        name:
            f"prepare_models.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/prepare_models/{pack.name}.log",
        benchmark:
            f"benchmarks/prepare_models/{pack.name}.tsv"
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
            f"prepare_models {pack.name}: {pack.summary}"
        script:
            "../scripts/prepare_models.py"
