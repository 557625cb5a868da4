#!/bin/sh
# Makes a virtual environment with the mergekit that mergevo is measured against.
# usage: mergekit.sh DIR
set -eu
python3 -m venv "$1"
"$1/bin/pip" install --quiet 'mergekit==0.1.5' torch
"$1/bin/mergekit-yaml" --help >/dev/null
