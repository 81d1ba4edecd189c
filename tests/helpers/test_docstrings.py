"""Every example in a docstring does what it says."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import mnist_helpers

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
NEEDS_THE_FULL_SET = {
    "mnist_helpers.data.load_data",
    "mnist_helpers.writers.published_writers",
    "mnist_helpers.writers.writers_of",
}
# They speak of what is so where nothing was set.
NEEDS_NO_SETTINGS = {
    "mnist_helpers.sources.cache_folder": "MNIST_CACHE_DIR",
    "mnist_helpers.device.use_device": "OMP_NUM_THREADS",
    "mnist_helpers.threads.thread_count": "OMP_NUM_THREADS",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_do_what_they_say(name, request, monkeypatch):
    if name in NEEDS_THE_FULL_SET:
        request.getfixturevalue("full_mnist")
    if name in NEEDS_NO_SETTINGS:
        monkeypatch.delenv(NEEDS_NO_SETTINGS[name], raising=False)
    if name == "mnist_helpers.device.use_device":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            pytest.skip("TensorFlow has begun on the GPU and cannot change now")
        # Nor can it change its threads.
        monkeypatch.setattr("mnist_helpers.device.use_threads", lambda count: None)
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


def test_the_package_lists_each_of_its_modules():
    for module in MODULES:
        assert f"``{module.__name__.removeprefix('mnist_helpers.')}``" in mnist_helpers.__doc__
