"""LoRA adapters by supervised finetuning on the same examples as the vectors: snapshots of one run share it.

INPUTS   results/models/…  results/tasks/…
OUTPUTS  results/adapters/{address}/               a peft folder with a passport
"""


rule adapters:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("adapters"),
    message:
        "adapters are complete"


for pack in PLAN.packs("adapters"):

    rule:
        """Finetuned adapters, one process for all of a model."""
        name:
            f"train_adapters.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/train_adapters/{pack.name}.log",
        benchmark:
            f"benchmarks/train_adapters/{pack.name}.tsv"
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
            f"train_adapters {pack.name}: {pack.summary}"
        script:
            "../scripts/train_adapters.py"
