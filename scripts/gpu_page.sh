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
if [ -n "$wheels" ]; then
    "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$site" "$wheels"/*.whl
    export PYTHONPATH=$PYTHONPATH:$site
fi
named='from importlib.metadata import version; version("teachonce")'
if ! "$python" -c "$named" 2> /dev/null; then  # this folder's code runs; what it asks for is its name and version
    "$python" - "$site" << 'END'
import pathlib, sys, tomllib
project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
place = pathlib.Path(sys.argv[1], f"{project['name']}-{project['version']}.dist-info")
place.mkdir(parents=True, exist_ok=True)
place.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
END
    export PYTHONPATH=$PYTHONPATH:$site
fi
exec "$python" scripts/gpu_page.py ${words[@]+"${words[@]}"}
