"""What a run promises is a table in benchmarks/README.md, and every test that it names exists."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_promise_names_tests_that_exist():
    text = (HERE.parent / "benchmarks" / "README.md").read_text()
    table = text.split("## What a run promises")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 12
    for row in rows:
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, name in named:
            tree = ast.parse((HERE / file).read_text())
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in functions, f"{file}::{name}"
