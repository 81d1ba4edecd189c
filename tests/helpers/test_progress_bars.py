"""A bar is there while somebody looks, and leaves nothing behind."""

from types import SimpleNamespace

import pytest
from IPython.display import DisplayHandle

from mnist_helpers import progress
from mnist_helpers.progress import progress_bar


@pytest.mark.parametrize(("request_says", "watched"), [({"cellId": "a1"}, True), ({}, False)])
def test_progress_is_a_line_of_an_open_notebook_and_gone_at_the_end(
    request_says, watched, monkeypatch, capsys
):
    """JupyterLab names the cell that it runs; papermill does not, and nobody looks."""
    kernel = SimpleNamespace(get_parent=lambda: {"metadata": request_says})
    shell = SimpleNamespace(kernel=kernel)
    monkeypatch.setattr(progress, "notebook_shell", lambda: shell)
    shows = []
    monkeypatch.setattr(DisplayHandle, "display", lambda self, line, raw: shows.append(line))
    monkeypatch.setattr(DisplayHandle, "update", lambda self, line, raw: shows.append(line))
    with progress_bar(3, "counting", unit="sheep", mininterval=0) as bar:
        bar.update(2)
    lines = [line["text/plain"] for line in shows]
    assert any("counting" in line and "2/3" in line for line in lines) == watched
    assert lines[-1:] == ([""] if watched else [])
    assert capsys.readouterr() == ("", "")
