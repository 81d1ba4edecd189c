"""A progress bar while something takes long, where somebody looks, and no trace of it after."""

import io
import os
import sys

from tqdm import tqdm

from mnist_helpers import notebook_shell


def progress_bar(total: int | None, description: str, **more: object) -> tqdm:
    """A bar for a terminal or for an open notebook; a silent one where nobody looks.

    ``TQDM_DISABLE=1`` silences it anywhere. ``total`` is None if nobody knows it; ``more`` are
    further arguments of tqdm's.
    """
    quiet = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    settings = {"total": total, "desc": description, "leave": False, **more}
    shell = notebook_shell()
    if shell is None:
        return tqdm(disable=quiet, **settings)
    # JupyterLab and VS Code name the cell that they run; papermill, nbconvert and nbval do
    # not: nobody looks there, and whatever is displayed on the way stays in the file.
    request = shell.kernel.get_parent().get("metadata", {})
    watched = "cellId" in request or "google.colab" in sys.modules
    return _PageBar(disable=quiet or not watched, file=io.StringIO(), ncols=80, **settings)


class _PageBar(tqdm):
    """tqdm's line as an output of the cell, written anew while it grows, empty at the end.

    tqdm's own bar for notebooks is a widget: a saved page then says that its model is missing.
    """

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Show the line in its place; tqdm calls this."""
        from IPython.display import DisplayHandle  # only a notebook needs it

        line = {"text/plain": str(self) if msg is None else msg}
        if hasattr(self, "handle"):
            self.handle.update(line, raw=True)
        else:
            self.handle = DisplayHandle()
            self.handle.display(line, raw=True)
