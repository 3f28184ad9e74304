"""Words on a figure."""


def plain(text: str) -> str:
    """The text as matplotlib draws it word for word: a dollar sign begins no formula (a run may be called `a$^$b`), and
    what has no letter (bytes of a file name that are not UTF-8) is written as an escape."""
    return text.replace("$", r"\$").encode("utf-8", "backslashreplace").decode()
