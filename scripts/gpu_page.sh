#!/usr/bin/env bash
# What the cache saves on one large GPU: measured in at most 12 minutes, and again what is missing. See docs/gpu.md.
#   scripts/gpu_page.sh [--wheels FOLDER] [--minutes 12] [--out FILE.json] [--parts NAMES] [--small]
# PYTHON names the interpreter that has torch; WHEELS as --wheels. Packages go into a folder of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
wheels=${WHEELS:-}
words=()
while [ $# -gt 0 ]; do
    case $1 in
        --wheels) wheels=${2:?expected a folder of wheels behind --wheels}; shift 2 ;;
        *) words+=("$1"); shift ;;
    esac
done
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
site=${TMPDIR:-/tmp}/teachonce-gpu-page-$(id -u)
if [ -n "$wheels" ] || ! "$python" -c 'from importlib.metadata import version; version("teachonce")' 2> /dev/null; then
    install=("$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$site")
    [ -z "$wheels" ] || "${install[@]}" "$wheels"/*.whl
    # its name and version are asked for; the code that runs is this folder's
    "$python" -c 'from importlib.metadata import version; version("teachonce")' 2> /dev/null \
        || "${install[@]}" --no-build-isolation .
    export PYTHONPATH=$PYTHONPATH:$site
fi
exec "$python" scripts/gpu_page.py ${words[@]+"${words[@]}"}
