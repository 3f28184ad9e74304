"""`python -m experiments`: the questions that the scripts here answer, each with its name and how long it takes."""

import ast
import re
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

NUMBER = r"(?:(?:about |half |a quarter of )*(?:an? |\d+ )|(?:about )?(?:some|two|three) )"
LONG = re.compile(NUMBER + r"(?:hours?|minutes?)(?: and a half)?")


class Question(NamedTuple):
    """A script: its name, what it answers, and how long it takes in full where it says so."""

    name: str
    question: str
    takes: str


def questions() -> list[Question]:
    """Every script that can be run, by the alphabet."""
    found = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        if f"python -m experiments.{path.stem}" in text:
            plain = " ".join(text.split())
            takes = LONG.findall(plain.partition("Full:")[2].partition("--quick")[0])
            question = " ".join(text.split("\n\n")[0].split())
            found.append(Question(path.stem, question, takes[-1] if takes else "see --help"))
    return found


def main() -> None:
    """Print them."""
    print("python -m experiments.NAME [--quick | --smoke]; minutes are those in full, on one or two cores\n")
    for name, question, takes in questions():
        print(fill(question, 100, initial_indent=f"{name:22}", subsequent_indent=" " * 22))
        print(f"{'':22}{takes}\n")


if __name__ == "__main__":
    main()
