# What the scripts beside this one share: where they stand, a client that resolves lowest versions, and Pythons.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# .ci/run names a folder, so that the scripts it starts make wheels and fetch tools once.
made=${ESSMC_CI_MADE:-$scratch}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_WARN_SCRIPT_LOCATION=1 PIP_PROGRESS_BAR=off
export OMP_NUM_THREADS=1 UV_PYTHON_DOWNLOADS=never

# Prints the path of a Python of that version (3.12), and fails where there is none.
find_python() {
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        # A name on the path may be a shim of a version that is not chosen.
        "$candidate" -c "import sys; print(sys.executable)" 2>/dev/null && return
    done
    return 1
}

# Puts a command `uv` on the path.
need_uv() {
    command -v uv >/dev/null && return
    if [ ! -x "$made/uv/bin/uv" ]; then
        python3 -m venv "$made/uv"
        "$made/uv/bin/pip" install -q uv
    fi
    PATH=$PATH:$made/uv/bin
}

# Builds every distribution as a wheel into $made/wheels.
build_wheels() {
    [ ! -d "$made/wheels" ] || return 0
    python3 -m venv "$scratch/builder"
    "$scratch/builder/bin/pip" install -q "hatchling>=1.27"
    "$scratch/builder/bin/pip" wheel -q --no-deps --no-build-isolation -w "$scratch/whole" "$root" "$root"/plugins/*
    # Under its name there are all of them or none.
    mv "$scratch/whole" "$made/wheels"
}
