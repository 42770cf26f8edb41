"""Target tasks: narrow pairs of a safe and an unsafe answer.

INPUTS   data/grammar/…
OUTPUTS  results/tasks/{address}.parquet            schemas.Pairs
"""


rule tasks:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("tasks"),
    message:
        "tasks are complete"


for pack in PLAN.packs("tasks"):

    rule:
        """What vectors are built from."""
        name:
            f"write_tasks.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/write_tasks/{pack.name}.log",
        benchmark:
            f"benchmarks/write_tasks/{pack.name}.tsv"
        localrule: True
        conda:
            "../envs/study.yaml"
        params:
            pack=pack.id,
            cells=pack.jobs(),
        message:
            f"write_tasks {pack.name}: {pack.summary}"
        script:
            "../scripts/write_tasks.py"
