"""Tables, figures and the report → reports/, under stable names, with the address that each came from.

INPUTS   results/tables/…  results/figures/…  results/report/…
OUTPUTS  reports/index.html  reports/tables/*.csv  reports/figures/*  reports/index.json
"""


rule publish_reports:
    """Compares bytes and copies what differs."""
    input:
        [ancient(cell.path) for cell in publishing.published_cells(PLAN)],
    output:
        temp(touch(PUBLISHED)),
    log:
        "logs/publish_reports.log",
    benchmark:
        "benchmarks/publish_reports.tsv"
    localrule: True
    conda:
        "../envs/study.yaml"
    params:
        cells=publishing.published_cells(PLAN),
    message:
        "publish_reports: reports/ differs from the planned cells"
    script:
        "../scripts/publish_reports.py"
