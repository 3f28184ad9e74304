"""The table of known sets, as a person reads it."""

from genjax.data import catalog


def test_every_set_is_a_line_and_is_cited_once():
    """Sizes in words and megabytes, no names of fields; the four EMNIST sets share a citation."""
    lines, _, citations = catalog.table().partition("\n\ncite\n")
    head, *rows = lines.splitlines()
    assert head.split() == ["name", "images", "size", "download", "comes", "licence"]
    assert [row.split()[0] for row in rows] == [entry.name for entry in catalog.CATALOG]
    assert rows[0].split() == ["digits", "1,797", "8", "x", "8", "grey", "with", "genjax", "CC", "BY", "4.0"]
    assert "70,000  28 x 28 grey       12 MB  fetched, or IDX files" in rows[1]
    assert all(citations.count(entry.citation) == 1 for entry in catalog.CATALOG)
    assert head.index("licence") <= 80  # what a terminal breaks is the last column alone
