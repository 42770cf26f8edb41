#!/usr/bin/env bash
# Snakemake runs this once in the new environment, in the folder of the study: the package itself, as it is there.
set -euo pipefail
pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
