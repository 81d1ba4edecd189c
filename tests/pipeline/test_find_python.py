"""Which Python `make` makes the environment with, on machines that have this one or that."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.contents import ROOT

SCRIPT = ROOT / "pipeline" / "find_python.sh"
PYENV_SHIM = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"
# A uv that has no Python until it was asked to get one.
UV = """#!/bin/sh
case "$2" in
find) cat "$0.got" ;;
install) echo "$3" >"$0.got" ;;
esac
"""
UV_OFFLINE = "#!/bin/sh\nexit 2\n"


class Machine:
    """A machine with no commands but those that a test puts there."""

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / "bin"
        self.path.mkdir()
        for tool in ("cat", "chmod", "cp", "mkdir", "sed"):
            (self.path / tool).symlink_to(shutil.which(tool))
        shutil.copy(ROOT / "requirements-workshop.lock", folder)

    def command(self, name: str, script: str) -> str:
        """Put a shell script there, by its name on the path or by a path of its own."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    def python(self, name: str, version: str, pretend: str = "pass", venv: str = "exit 1") -> str:
        """Put this Python there, which pretends to be another; `venv` is how its -m venv ends."""
        as_if = f"import sys; sys.version_info = ({version}, 0); {pretend}; exec(sys.argv[1])"
        return self.command(
            name,
            f'#!/bin/sh\nif [ "$1" = -m ]; then\n{venv}\nfi\n'
            f'exec {shlex.quote(sys.executable)} -ISc {shlex.quote(as_if)} "$2"\n',
        )

    def find(self, named: str = "") -> subprocess.CompletedProcess:
        return subprocess.run(
            ["/bin/sh", str(SCRIPT), named],
            cwd=self.folder,
            env={"PATH": str(self.path)},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


NO_VENV = "sys.modules['ensurepip'] = None"
PYPY = "sys.implementation.name = 'pypy'"


def test_the_newest_that_serves_is_found_whatever_python3_is(machine: Machine):
    machine.python("python3", "3, 14")
    machine.python("python3.11", "3, 11")
    newest = machine.python("python3.12", "3, 12")
    done = machine.find()
    assert (done.stdout, done.stderr) == (f"{newest}\n", "")


@pytest.mark.parametrize("name", ["python3", "python"])
def test_a_python_that_goes_by_no_number_is_found(machine: Machine, name: str):
    assert machine.find().returncode != 0
    assert machine.find().stdout == ""
    assert machine.python(name, "3, 13") == machine.find().stdout.strip()


def test_commands_that_are_no_python_or_cannot_serve_are_passed_over(machine: Machine):
    """As pyenv's for a version that is not active, and Debian's without python3-venv."""
    machine.command("python3.13", PYENV_SHIM)
    machine.python("python3.12", "3, 12", pretend=NO_VENV)
    serves = machine.python("python3.11", "3, 11")
    machine.python("python3", "3, 13", pretend=PYPY)
    assert machine.find().stdout == f"{serves}\n"


def test_an_environment_that_is_there_keeps_its_python(machine: Machine):
    machine.python("python3.13", "3, 13")
    own = machine.python("../.venv/bin/python", "3, 11")
    assert machine.find().stdout == ".venv/bin/python\n"
    Path(own).write_text("#!/nowhere/python\n", encoding="utf-8")  # its Python was removed
    assert machine.find().stdout.endswith("/python3.13\n")


def test_the_one_that_is_named_is_taken_or_nothing(machine: Machine):
    machine.python("python3.13", "3, 13")
    older = machine.python("another", "3, 11")
    assert machine.find(older).stdout == f"{older}\n"
    for script, fault in {
        machine.python("new", "3, 14"): "is Python 3.14",
        machine.python("old", "2, 7"): "is Python 2.7",
        machine.python("bare", "3, 12", pretend=NO_VENV): "lacks venv; .* install python3.12-venv",
        machine.python("other", "3, 11", pretend=PYPY): "is pypy",
        machine.command("shim", PYENV_SHIM): "does not run",
        "not-there": "does not run",
    }.items():
        done = machine.find(script)
        assert done.returncode == 1 and done.stdout == ""
        expected = f"needs Python 3.11, 3.12 or 3.13; {re.escape(script)} {fault}"
        assert re.search(expected, done.stderr), done.stderr
        assert "Name another one, or none" in done.stderr


def test_where_all_are_too_new_uv_gets_one_and_says_so(machine: Machine):
    machine.python("python3", "3, 14")
    machine.command("uv", UV)
    done = machine.find()
    assert (done.returncode, done.stdout) == (0, "3.13\n")
    assert re.search(r"no Python .*\n +\S+/python3 is Python 3.14\nuv gets Python", done.stderr)
    assert "uv gets" not in machine.find().stderr  # now it has one


def test_where_there_is_no_uv_it_comes_first_as_the_lock_has_it(machine: Machine):
    uv = machine.command("uv-to-be", UV)
    pip = machine.command(
        "pip-to-be", f'#!/bin/sh\nfor last; do :; done\ncat "$last"\ncp {uv} .venv-uv/bin/uv\n'
    )
    venv = f'mkdir -p "$4/bin" && cp {pip} "$4/bin/pip"\nexit'
    machine.python("python3", "3, 14", venv=venv)
    done = machine.find()
    assert (done.returncode, done.stdout) == (0, "3.13\n")
    assert "It goes into .venv-uv." in done.stderr
    installed = [line for line in done.stderr.splitlines() if "==" in line or "--hash" in line]
    assert re.match(r"uv==\S+ \\$", installed[0])
    assert len(installed) > 5 and all("--hash=sha256:" in line for line in installed[1:])


def test_where_nothing_helps_it_says_what_was_tried_and_what_to_install(machine: Machine):
    machine.python("python3", "3, 12", pretend=NO_VENV)
    machine.command("python3.13", PYENV_SHIM)
    machine.command("uv", UV_OFFLINE)
    done = machine.find()
    assert done.returncode == 1 and done.stdout == ""
    for said in (
        "python3.13 does not run",
        "python3 lacks venv; on Debian and Ubuntu: sudo apt install python3.12-venv",
        "sudo apt install python3 python3-venv",
        "brew install python@3.13",
    ):
        assert said in done.stderr
