# Read by every shell case before it begins (BASH_ENV).

# Passes when a command fails; `! command` alone would not end a script under `set -e`.
fails() {
    if "$@"; then
        echo "should have failed: $*"
        return 1
    fi
}
