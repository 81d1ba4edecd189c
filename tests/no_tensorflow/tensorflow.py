"""Stands before TensorFlow on the path of quick tests: a quick test that imports it fails."""

raise ImportError(
    "A quick test imports TensorFlow, here or in a process that it started. tests/quick.py says "
    "which tests are quick; `@pytest.mark.chapters` marks one that runs a chapter."
)
