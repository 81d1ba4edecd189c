#!/bin/sh
# Print the path of a Python that this book runs on, or stop and say what to install.
#
# usage: find_python.sh [NAMED]
#
# NAMED, if it is given, is the only candidate. Else the first of these that serves:
# the Python of .venv, so that an environment keeps its version; those on the path; one
# that uv has or gets. Where there is no uv, the release that requirements-workshop.lock pins goes
# into an environment of its own, .venv-uv, and so does the Python that it gets.

serving="Python 3.11, 3.12 or 3.13"
tried=

say() { printf '%s\n' "$*" >&2; }

# What keeps a command from serving; nothing if it serves. It has to run: pyenv leaves
# commands on the path that only say that they are not there.
fault_of() {
    "$1" -c 'if True:
        import sys
        version = sys.version_info[:2]
        if not (3, 11) <= version <= (3, 13):
            print("is Python %d.%d" % version)
        elif sys.implementation.name != "cpython":
            print("is %s, for which there is no TensorFlow" % sys.implementation.name)
        else:
            try:
                import ensurepip, venv
            except ImportError:
                print("lacks venv; on Debian and Ubuntu: "
                      "sudo apt install python%d.%d-venv" % version)
        ' 2>/dev/null || echo "does not run"
}

# Print the first of some commands that serves; keep the faults of the others in $tried.
first_that_serves() {
    for candidate in "$@"; do
        found=$(command -v "$candidate") || continue
        fault=$(fault_of "$found")
        if [ -z "$fault" ]; then
            echo "$found"
            return
        fi
        tried="$tried
    $found $fault"
    done
    return 1
}

# Put uv into an environment of its own, with the help of any Python that can make one.
install_uv() {
    for any in python3 python; do
        "$any" -c "import ensurepip, venv" 2>/dev/null || continue
        say "uv can get one. It goes into .venv-uv."
        "$any" -m venv --clear .venv-uv >&2 || return
        sed -n '/^uv==/,/[^\\]$/p' requirements-workshop.lock >.venv-uv/requirements.lock
        .venv-uv/bin/pip install --quiet --require-hashes --no-deps \
            --requirement .venv-uv/requirements.lock >&2
        return
    done
    return 1
}

# Print the Python that uv has, or gets.
python_of_uv() {
    uv=$(command -v uv) || {
        uv=.venv-uv/bin/uv
        [ -x $uv ] || install_uv || return
        export UV_PYTHON_INSTALL_DIR=.venv-uv/python
    }
    # Its own alone: those of the system were looked at before.
    export UV_PYTHON_PREFERENCE=only-managed UV_PYTHON_INSTALL_BIN=0
    "$uv" python find --system ">=3.11,<3.14" 2>/dev/null && return
    say "uv gets Python 3.13 (some 30 MB)."
    "$uv" python install 3.13 >&2 && "$uv" python find --system 3.13
}

if [ -n "$1" ]; then
    fault=$(fault_of "$1")
    if [ -n "$fault" ]; then
        say "This book needs $serving; $1 $fault."
        say "Name another one, or none: without PYTHON=, make looks for one that serves."
        exit 1
    fi
    echo "$1"
    exit
fi

first_that_serves .venv/bin/python python3.13 python3.12 python3.11 python3 python && exit
say "There is no $serving here that serves.$tried"
python_of_uv && exit
say "This book needs $serving, and uv could not get one either. Install one of these
and run make again:
    Debian, Ubuntu    sudo apt install python3 python3-venv
    Fedora            sudo dnf install python3.13
    macOS             brew install python@3.13
    any system        uv, which then gets a Python: https://docs.astral.sh/uv/"
exit 1
