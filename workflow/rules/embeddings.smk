"""Where embedders place the prompts of tasks and benchmarks.

INPUTS   results/models/…  results/tasks/…  results/benchmarks/…
OUTPUTS  results/embeddings/{address}.safetensors          vectors [prompts × dimensions]
"""


rule embeddings:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("embeddings"),
    message:
        "embeddings are complete"


for pack in PLAN.packs("embeddings"):

    rule:
        """Are the questions unrelated to the task? What that is measured on."""
        name:
            f"embed_prompts.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/embed_prompts/{pack.name}.log",
        benchmark:
            f"benchmarks/embed_prompts/{pack.name}.tsv"
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
            f"embed_prompts {pack.name}: {pack.summary}"
        script:
            "../scripts/embed_prompts.py"
