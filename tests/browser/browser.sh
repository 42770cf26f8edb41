#!/usr/bin/env bash
# `probe`: Debian's Chromium for the tests of the page; installs it where it is missing, or says in one line why that cannot be.
set -euo pipefail
[ "${1:-}" = probe ] || { echo "usage: browser.sh probe"; exit 2; }
command -v chromium >/dev/null && exit 0
[ "$(id -u)" = 0 ] || { echo "no chromium, and to install it needs root"; exit 1; }
export DEBIAN_FRONTEND=noninteractive
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 || { echo "chromium cannot be installed"; exit 1; }
