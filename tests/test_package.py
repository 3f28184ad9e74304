"""`import genjax` is light, and has every name of the front door all the same."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import genjax

DOOR = {"fit", "grid", "load", "compare", "example", "rbm", "dbm", "dbn", "vae", "iwae", "cvae", "autoencoder", "gan"}
DOOR |= {"recommender", "Dataset", "Machine", "UserError"}


def test_every_name_is_an_attribute():
    assert set(genjax.__all__) >= DOOR
    for name in genjax.__all__:
        genjax.__dict__.pop(name, None)  # as if nobody had imported it
        assert getattr(genjax, name) is not None
        assert getattr(genjax, name) is getattr(genjax, name)


def test_dir_has_the_names_and_nothing_else():
    named = {name for name in dir(genjax) if not name.startswith("_")}
    assert named == set(genjax.__all__)
    assert "__version__" in dir(genjax)


def test_no_module_has_the_name_of_a_function():
    """`import genjax.fit` would put a module in the place of the function."""
    modules = {module.name for module in pkgutil.iter_modules(genjax.__path__)}
    floors = {name for name in genjax.__all__ if isinstance(getattr(genjax, name), type(sys))}
    assert not modules & (set(genjax.__all__) - floors)
    assert floors <= modules


def test_pyright_sees_every_name():
    """The imports under TYPE_CHECKING are those that are mapped."""
    tree = ast.parse(Path(genjax.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == {*genjax._FOUND, *genjax._FLOORS, "*"}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            place = "genjax.models.table" if alias.name == "*" else genjax._FOUND.get(alias.name, "genjax")
            assert node.module == place, alias.name


def test_what_is_no_name_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'genjax' has no attribute 'nothing'"):
        genjax.nothing  # noqa: B018
    assert not hasattr(genjax, "cli.main")


def test_the_package_alone_is_light_and_its_names_work():
    """In a process where nothing has been imported."""
    code = "import sys, genjax; assert not {'jax', 'numpy', 'matplotlib'} & set(sys.modules); genjax.errors.UserError; "
    code += "assert 'rbm-mnist' in genjax.pretrained.names(); "
    code += "genjax.Machine; assert not {'flax', 'optax', 'matplotlib', 'orbax', 'sklearn'} & set(sys.modules); "
    code += "genjax.sampling.gibbs.sample, genjax.boltzmann.free_energy, genjax.likelihood.log_z"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_a_start_imports_nothing_that_only_its_end_uses():
    """Nor what another start has kept: the digits and their split, which scikit-learn makes."""
    code = "import sys; import genjax.cli.train, genjax.data; genjax.data.load('digits'); "
    code += "print(*sorted({'matplotlib', 'sklearn', 'pandas', 'scipy.stats', 'scipy.optimize'} & set(sys.modules)))"
    genjax.data.load("digits")
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == []


def test_the_command_line_stays_small():
    """What a command does is the library's: it parses, prints and writes."""
    files = (Path(genjax.__file__).parent / "cli").glob("*.py")
    assert sum(len(path.read_text().splitlines()) for path in files) <= 1500
