"""Scores → rates, contrasts, claims.

INPUTS   results/scores/…  results/benchmarks/…  results/vectors/…  results/calibrations/…
OUTPUTS  results/tables/{address}.parquet           schemas.Rates, schemas.Contrasts, schemas.Claims
"""


rule tables:
    """Target: every cell of this stage."""
    input:
        PLAN.paths("tables"),
    message:
        "tables are complete"


for pack in PLAN.packs("tables"):

    rule:
        """One table, checked on the way in and on the way out."""
        name:
            f"compute_tables.{pack.name}"
        input:
            needs(pack),
        output:
            makes(pack),
        log:
            f"logs/compute_tables/{pack.name}.log",
        benchmark:
            f"benchmarks/compute_tables/{pack.name}.tsv"
        localrule: True
        conda:
            "../envs/study.yaml"
        params:
            pack=pack.id,
            cells=pack.jobs(),
        message:
            f"compute_tables {pack.name}: {pack.summary}"
        script:
            "../scripts/compute_tables.py"
