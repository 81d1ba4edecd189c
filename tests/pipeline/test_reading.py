"""How long a page is, and what it says of it."""

from pipeline.reading import Section, sections
from pipeline.site.route import with_reading_time

PAGE = """(route-one)=
# One

Three words here.

:::{admonition} Predict
Will it?
:::{dropdown} Answer
It will, it will.
:::
:::

## Two

:::{quiz}
Which?

- [x] This.

  So it is.
- [ ] That.

  No.
:::
"""


def test_counts_words_and_which_of_them_are_folded(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(PAGE, encoding="utf-8")
    _, one, two = sections(file)
    assert (one.label, one.title, one.length.words) == ("route-one", "One", 10)
    assert one.length.folded == 4
    assert two == Section("", "Two", two.length)
    assert (two.length.words, two.length.folded) == (8, 4)


def test_the_reading_time_stands_below_the_title(tmp_path):
    file = tmp_path / "page.md"
    file.write_text("# One\n\n" + "word " * 1_000, encoding="utf-8")
    page = with_reading_time(file.read_text(encoding="utf-8"), file)
    assert page.startswith("# One\n\n:::{div} reading-time\nAbout 5 minutes to read\n:::\n\nword")
