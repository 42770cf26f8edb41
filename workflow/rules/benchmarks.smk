"""Benchmarks: the questions that answers are elicited with.

INPUTS   data/grammar/…
OUTPUTS  results/benchmarks/{address}.parquet       schemas.Questions
"""


rule benchmarks:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("benchmarks"),
    message:
        "benchmarks are complete"


for pack in PLAN.packs("benchmarks"):

    rule:
        """Questions by category, for choosing (dev) and for reporting (test)."""
        name:
            f"write_benchmarks.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/write_benchmarks/{pack.name}.log",
        benchmark:
            f"benchmarks/write_benchmarks/{pack.name}.tsv"
        localrule: True
        conda:
            "../envs/study.yaml"
        params:
            pack=pack.id,
            cells=pack.jobs(),
        message:
            f"write_benchmarks {pack.name}: {pack.summary}"
        script:
            "../scripts/write_benchmarks.py"
