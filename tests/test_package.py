"""`import genjax` is light, and has every submodule all the same."""

import pkgutil
import subprocess
import sys

import pytest

import genjax


def test_every_submodule_is_an_attribute():
    assert sorted(genjax.__all__) == sorted(module.name for module in pkgutil.iter_modules(genjax.__path__))
    for name in genjax.__all__:
        genjax.__dict__.pop(name, None)  # as if nobody had imported it
        assert getattr(genjax, name).__name__ == f"genjax.{name}"
    assert set(genjax.__all__) <= set(dir(genjax))
    assert "__version__" in dir(genjax)


def test_what_is_no_submodule_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'genjax' has no attribute 'nothing'"):
        genjax.nothing  # noqa: B018
    assert not hasattr(genjax, "cli.main")


def test_the_package_alone_is_light_and_its_names_work():
    """In a process where nothing has been imported."""
    code = "import sys, genjax; assert not {'jax', 'numpy', 'matplotlib'} & set(sys.modules); genjax.errors.UserError; "
    code += "assert 'rbm-mnist' in genjax.pretrained.names()"
    subprocess.run([sys.executable, "-c", code], check=True)
