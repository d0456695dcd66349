#!/usr/bin/env bash
# Builds dist/moxpy, the whole server in one file, and tells its size and how fast it starts.
#
# It runs on systems whose glibc is at least the build host's: build on the oldest system to be supported. The virtual
# environment holds only what the server needs and PyInstaller, since whatever else is installed may end up inside.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-$(build/newest_python.sh)}
CONSTRAINTS=${CONSTRAINTS:-build/constraints.txt}
VENV=${VENV:-.venv-executable}
WORK=${WORK:-.work/pyinstaller}
DIST=${DIST:-dist}

# Which Python and versions the environment was made with; other ones make it anew.
stamp=$VENV/.installed
wanted=$("$PYTHON" -VV; cat pyproject.toml "$CONSTRAINTS")
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
    rm -rf "$VENV"
    "$PYTHON" -m venv "$VENV"
    # Dependencies only: the server itself is read from this folder, so its source is never a stale copy.
    "$VENV/bin/python" - >"$VENV/requirements.txt" <<'PYTHON'
import pathlib, tomllib
project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
print("\n".join([*project["dependencies"], *project["optional-dependencies"]["executable"]]))
PYTHON
    "$VENV/bin/python" -m pip --disable-pip-version-check install --quiet --constraint "$CONSTRAINTS" \
        --requirement "$VENV/requirements.txt"
    echo "$wanted" >"$stamp"
fi

# PyInstaller works in ./build unless told otherwise, and that is where our recipes lie.
"$VENV/bin/pyinstaller" --noconfirm --log-level WARN --workpath "$WORK" --distpath "$DIST" moxpy.spec

# A frozen program that was never started is not built: a missing module or data file shows only at run time.
"$DIST/moxpy" version >/dev/null
milliseconds() { # median of five runs of a command
    for _ in 1 2 3 4 5; do
        local start=$EPOCHREALTIME
        "$@" >/dev/null
        local end=$EPOCHREALTIME
        echo $(((${end/[.,]/} - ${start/[.,]/}) / 1000))
    done | sort -n | sed -n 3p
}
printf 'built   %s with %s\n' "$DIST/moxpy" "$("$PYTHON" --version)"
printf 'size    %s octets (%s MiB)\n' "$(stat -c %s "$DIST/moxpy")" "$(($(stat -c %s "$DIST/moxpy") >> 20))"
printf 'starts  %s ms for `moxpy version`, median of 5\n' "$(milliseconds "$DIST/moxpy" version)"
"$VENV/bin/python" build/smoke.py "$DIST/moxpy"
