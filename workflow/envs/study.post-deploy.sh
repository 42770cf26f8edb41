#!/usr/bin/env bash
# Snakemake runs this once in the new environment, in the folder of the study: exact versions (torch first), then the package.
set -euo pipefail
pip install -qq "$(grep '^torch==' requirements.lock)"
pip install -qq -r requirements.lock
pip install -qq --no-deps --no-build-isolation --editable .
