"""`import genjax` is light and has every name of the front door; inside, every import goes down, none in a circle."""

import ast
import graphlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import genjax
from genjax.models.table import MODELS

ROOT = Path(__file__).resolve().parent.parent
FLOORS = (
    ("cli",),
    ("__init__", "sklearn"),
    ("api",),
    ("models",),
    ("plots",),
    ("evaluation",),
    ("algorithms",),
    ("likelihood", "transport"),
    ("sampling",),
    ("training",),
    ("boltzmann", "networks"),
    ("data", "pretrained", "numerics", "random"),
    ("typing", "errors"),
)
"""From the top; an import goes to the same floor or down. Those of one floor are rooms side by side."""
LONGEST_CLI = 1500  # lines


def modules() -> dict[str, Path]:
    """The file of every module of genjax."""
    files = {}
    for file in sorted((ROOT / "genjax").rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return files


MODULES = modules()


def room(module: str) -> str:
    """The part of the house: that of genjax.data.idx is data."""
    return [*module.split("."), "__init__"][1]


def floor(module: str) -> int:
    """Its number from the top. Raises `StopIteration` where the module has no place in the picture."""
    return next(number for number, rooms in enumerate(FLOORS) if room(module) in rooms)


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module of genjax that is imported anywhere in the code, also inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: a relative import"
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [part if part in MODULES else str(node.module) for part in parts]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] == "genjax")


def without_types(tree: ast.Module) -> ast.Module:
    """The code without what is there for type checkers alone."""

    class Removed(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else node

    return Removed().visit(tree)


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), str(file))


@pytest.mark.parametrize("name", [name for name in MODULES if name != "genjax"])
def test_imports_go_down(name):
    """The front door alone names what is below it for type checkers, and imports nothing when it is imported."""
    up = [target for target in imported(parsed(MODULES[name])) if floor(target) < floor(name)]
    assert not up, f"{name} imports {', '.join(up)}, from a floor above its own"


def test_the_contract_imports_nothing_and_errors_neither():
    for name in ("genjax.typing", "genjax.errors"):
        assert not list(imported(parsed(MODULES[name])))


def test_no_imports_go_in_a_circle():
    graph = {name: set(imported(without_types(parsed(file)))) for name, file in MODULES.items()}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


def test_rooms_side_by_side_do_not_import_each_other_in_a_circle():
    graph: dict[str, set[str]] = {}
    for name, file in MODULES.items():
        targets = {room(target) for target in imported(without_types(parsed(file)))}
        graph.setdefault(room(name), set()).update(targets - {room(name)})
    list(graphlib.TopologicalSorter(graph).static_order())


def test_the_command_line_names_no_model():
    """Not by a name in quotes, nor as a class or function: what differs between models, a `Model` of MODELS says."""
    words = {*MODELS, *(model.config.__name__ for model in MODELS.values())}
    for file in sorted((ROOT / "genjax" / "cli").glob("*.py")):
        tree = parsed(file)
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in words}
        below = [name for name in imported(tree) if room(name) == "models" and name != "genjax.models.table"]
        assert not (names & words) | strings, f"{file.name} names {(names & words) | strings}"
        assert not below, f"{file.name} imports {below}"


def test_the_command_line_is_sentences_and_files():
    lines = {file.name: len(file.read_text().splitlines()) for file in (ROOT / "genjax" / "cli").glob("*.py")}
    assert sum(lines.values()) <= LONGEST_CLI, lines


@pytest.mark.parametrize("folder", ["experiments", "benchmarks", "genjax"])
def test_only_the_command_line_imports_the_command_line(folder):
    for file in sorted((ROOT / folder).rglob("*.py")):
        if file.parent.name == "cli" and folder == "genjax":
            continue
        assert not re.search(r"^\s*(from|import) genjax\.cli|from genjax import .*\bcli\b", file.read_text(), re.M), (
            file
        )


def test_nothing_in_genjax_imports_what_stands_beside_it():
    for name, file in MODULES.items():
        assert not re.search(r"^\s*(from|import) (experiments|benchmarks|tests)\b", file.read_text(), re.M), name


def test_every_name_of_the_front_door_is_there():
    for name in genjax.__all__:
        genjax.__dict__.pop(name, None)  # as if nobody had imported it
        assert getattr(genjax, name) is not None
    assert set(genjax.__all__) <= set(dir(genjax))
    assert "__version__" in dir(genjax)
    assert set(MODELS) <= set(genjax.__all__)


def test_no_module_directly_in_genjax_has_the_name_of_a_function_of_the_front_door():
    functions = {name for name in genjax.__all__ if callable(getattr(genjax, name))}
    assert not functions & {module.name for module in pkgutil.iter_modules(genjax.__path__)}


def test_what_is_no_name_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'genjax' has no attribute 'nothing'"):
        genjax.nothing  # noqa: B018
    assert not hasattr(genjax, "cli.main")


def test_the_package_alone_is_light_and_its_names_work():
    """In a process where nothing has been imported."""
    code = "import sys, genjax; assert not {'jax', 'numpy', 'matplotlib'} & set(sys.modules); genjax.errors.UserError; "
    code += "assert 'rbm-mnist' in genjax.pretrained.names()"
    subprocess.run([sys.executable, "-c", code], check=True)
