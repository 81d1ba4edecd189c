"""Every example in a docstring does what it says."""

import doctest
import importlib
import inspect
import pkgutil
import re

import pytest

import mnist_helpers
from pipeline.contents import ROOT

MODULES = [
    importlib.import_module(f"mnist_helpers.{module.name}")
    for module in pkgutil.iter_modules(mnist_helpers.__path__)
]
EXAMPLES = {
    test.name: test
    for module in [mnist_helpers, *MODULES]
    for test in doctest.DocTestFinder(exclude_empty=True).find(module)
    if test.examples
}
NEEDS_THE_FULL_SET = {"mnist_helpers.data.load_data"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_do_what_they_say(name, request):
    if name in NEEDS_THE_FULL_SET:
        request.getfixturevalue("full_mnist")
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    failed, tried = runner.run(EXAMPLES[name], out=report.append)
    assert tried > 0
    assert failed == 0, "".join(report)


def public_functions():
    for module in MODULES:
        for name, thing in vars(module).items():
            belongs = getattr(thing, "__module__", None) == module.__name__
            if belongs and not name.startswith("_") and callable(thing):
                yield pytest.param(thing, id=f"{module.__name__}.{name}")


@pytest.mark.parametrize("thing", public_functions())
def test_everything_public_is_documented(thing):
    own = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    assert own
    assert not own.startswith(f"{thing.__name__}("), "this is what dataclass writes by itself"


@pytest.mark.parametrize("module", [mnist_helpers, *MODULES], ids=lambda module: module.__name__)
def test_every_module_says_what_it_is(module):
    assert module.__doc__.strip()


def test_architecture_lists_each_module():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)\.py` \| ", text, re.MULTILINE)
    assert sorted(f"mnist_helpers.{name}" for name in listed) == [it.__name__ for it in MODULES]
