#!/usr/bin/env bash
# Builds dist/moxpy, the whole server in one file, and tells its size and how fast it starts.
#
# It runs on systems whose glibc is at least the build host's: build on the oldest system to be supported. The virtual
# environment holds only what the server needs and PyInstaller, since whatever else is installed may end up inside.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-$(build/newest_python.sh)}
CONSTRAINTS=${CONSTRAINTS:-build/constraints.txt}
# Not VENV: make hands that on, and the environment one works in is not to be made anew.
BUILD_VENV=${BUILD_VENV:-.venv-executable}
WORK=${WORK:-.work/pyinstaller}
DIST=${DIST:-dist}

# Which Python and versions the environment was made with; other ones make it anew.
stamp=$BUILD_VENV/.installed
wanted=$("$PYTHON" -VV; cat pyproject.toml "$CONSTRAINTS")
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
    if [ -e "$BUILD_VENV" ] && [ ! -f "$BUILD_VENV/.executable" ] && [ ! -s "$stamp" ]; then
        echo "$BUILD_VENV was not made by this script, so it is not removed: give another folder as BUILD_VENV" >&2
        exit 1
    fi
    rm -rf "$BUILD_VENV"
    "$PYTHON" -m venv "$BUILD_VENV"
    touch "$BUILD_VENV/.executable"
    # Dependencies only: the server itself is read from this folder, so its source is never a stale copy.
    "$BUILD_VENV/bin/python" - >"$BUILD_VENV/requirements.txt" <<'PYTHON'
import pathlib, tomllib
project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
print("\n".join([*project["dependencies"], *project["optional-dependencies"]["executable"]]))
PYTHON
    "$BUILD_VENV/bin/python" -m pip --disable-pip-version-check install --quiet --constraint "$CONSTRAINTS" \
        --requirement "$BUILD_VENV/requirements.txt"
    echo "$wanted" >"$stamp"
fi

mkdir -p .work
"$BUILD_VENV/bin/python" build/licenses.py .work/LICENSES.txt

# PyInstaller works in ./build unless told otherwise, and that is where our recipes lie.
"$BUILD_VENV/bin/pyinstaller" --noconfirm --log-level WARN --workpath "$WORK" --distpath "$DIST" moxpy.spec

# A frozen program that was never started is not built: a missing module or data file shows only at run time.
"$DIST/moxpy" version >/dev/null
"$DIST/moxpy" licenses >/dev/null
"$DIST/moxpy" config example alerts >/dev/null
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
"$BUILD_VENV/bin/python" build/smoke.py "$DIST/moxpy"
