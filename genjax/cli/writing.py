"""What was measured is printed in any case, also where it cannot be written."""

import contextlib
from collections.abc import Iterator
from typing import Any

from genjax.errors import Unwritten, UserError


@contextlib.contextmanager
def in_any_case(result: dict[str, Any], text: str) -> Iterator[None]:
    """Write something here: the answer is not lost where that fails."""
    try:
        yield
    except (UserError, OSError) as error:
        sentence = str(error) if isinstance(error, UserError) else f"{error.filename}: {error.strerror or error}."
        raise Unwritten(sentence, result, text) from None
