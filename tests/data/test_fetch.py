"""Fetching without TensorFlow, from a server on this machine and from none."""

import hashlib
import importlib.util
import socket
import sys
import time
import zipfile

import numpy as np
import pytest

from genjax.data import catalog, fetch, load
from genjax.errors import UserError

MNIST = catalog.find("mnist")
assert MNIST is not None


def described(paths, base="http://example.invalid/mnist"):
    """The remote files that these local ones stand for."""
    return [
        fetch.Remote(f"{base}/{p.name}", p.stat().st_size, hashlib.sha256(p.read_bytes()).hexdigest()) for p in paths
    ]


@pytest.fixture
def source(tmp_path, write_idx):
    return write_idx(tmp_path / "server")


def test_fetched_files_are_whole(tmp_path, serve, source):
    address, asked = serve(tmp_path / "server")
    place = tmp_path / "place"
    fetch.fetch(MNIST, described(source), place, base=address)
    assert sorted(p.name for p in place.iterdir()) == sorted(p.name for p in source)
    assert all((place / p.name).read_bytes() == p.read_bytes() for p in source)
    before = len(asked)
    fetch.fetch(MNIST, described(source), place, base=address)
    assert len(asked) == before == 4


def test_load_fetches_once(tmp_path, serve, source, small_set, cache, monkeypatch):
    address, asked = serve(tmp_path / "server")
    monkeypatch.setattr(fetch, "remote_files", lambda entry: described(source, address))
    data = load("mnist")
    np.testing.assert_array_equal(data.test * 255, small_set[2].reshape(10, 20))
    assert data.source == "IDX"
    load("mnist")
    assert len(asked) == 4
    kept = cache / "idx" / "mnist" / source[0].name
    kept.write_bytes(kept.read_bytes()[:-9])
    np.testing.assert_array_equal(load("mnist").train, data.train)
    assert len(asked) == 8
    kept.unlink()  # as after a fetch that was cut off
    load("mnist")
    assert len(asked) == 9


def test_real_mnist_passes_tfds_checksums(tmp_path, real, serve):
    address, asked = serve(real / "mnist")
    files = fetch.remote_files(MNIST)
    assert {file.url for file in files} >= {
        f"https://storage.googleapis.com/cvdf-datasets/mnist/{part}-{kind}-ubyte.gz"
        for part in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    }
    fetch.fetch(MNIST, files, fetch.folder(MNIST), base=address)
    data = load("mnist")
    assert len(asked) == 4
    assert list(data.labels.train[:5]) == [5, 0, 4, 1, 9]
    assert len(data.validation) == 5000


def test_an_archive_is_unpacked_for_all_variants(tmp_path, serve, write_idx, small_set, monkeypatch):
    (tmp_path / "server").mkdir()
    archive = tmp_path / "server" / "gzip.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for variant in ("letters", "digits"):
            for path in write_idx(tmp_path / variant, begins=(f"emnist-{variant}-train", f"emnist-{variant}-test")):
                packed.write(path, f"gzip/{path.name}")
        packed.writestr("gzip/readme.txt", "not wanted")
    address, asked = serve(archive.parent)
    monkeypatch.setattr(fetch, "remote_files", lambda entry: described([archive], address))
    for variant in ("letters", "digits"):
        np.testing.assert_array_equal(load(f"emnist_{variant}").labels.test, small_set[3])
    assert len(asked) == 1
    assert len(list(fetch.folder(catalog.find("emnist_letters")).iterdir())) == 8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f._replace(sha256="0" * 64), "other bytes of that number"),
        (lambda f: f._replace(size=f.size + 1), "bytes; the server sent"),
        (lambda f: f._replace(size=f.size - 1), "the server sent more"),
        (lambda f: f._replace(url=f.url + ".absent"), "cannot be fetched .*File not found"),
    ],
)
def test_a_wrong_file_leaves_nothing_behind(tmp_path, serve, source, change, words):
    address, _ = serve(tmp_path / "server")
    files = described(source)
    files[2] = change(files[2])
    with pytest.raises(UserError, match=words) as told:
        fetch.fetch(MNIST, files, tmp_path / "place", base=address)
    assert source[2].name in str(told.value)
    assert "`data_dir`" in str(told.value)
    assert sorted(p.name for p in (tmp_path / "place").iterdir()) == sorted(p.name for p in source[:2])


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_no_network_is_told_at_once_with_the_remedy(tmp_path, source, monkeypatch):
    def fail(base):
        start = time.monotonic()
        with pytest.raises(UserError, match=r"`dataset` mnist: .*cannot be fetched") as told:
            fetch.fetch(MNIST, described(source), tmp_path / "place", base=base, timeout=0.3)
        assert all(path.name in str(told.value) for path in source)
        assert "`data_dir`" in str(told.value)
        assert time.monotonic() - start < 60  # against TFDS's minutes; a bound on hanging, not on speed
        assert not list((tmp_path / "place").iterdir())

    fail(f"http://127.0.0.1:{closed_port()}")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fail(f"http://127.0.0.1:{silent.getsockname()[1]}")

    def stuck(*args, **kwargs):  # a resolver that waits for a server that never answers
        time.sleep(3)
        raise OSError

    monkeypatch.setattr(fetch.urllib.request, "urlopen", stuck)
    fail("http://127.0.0.1:1")


def test_a_cache_that_cannot_be_written_names_the_remedy(tmp_path, source, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(fetch, "remote_files", lambda entry: described(source))
    with pytest.raises(UserError, match=r"cannot be kept in .*set GENJAX_CACHE"):
        load("mnist")


def test_other_sets_need_tensorflow_to_be_prepared(cache, monkeypatch):
    if importlib.util.find_spec("tensorflow") is None:
        with pytest.raises(UserError, match=r"`dataset` cifar10: .*pip install tensorflow, or .*`data_dir`"):
            load("cifar10")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "tensorflow" or found(name))

    def unreachable(*args, **kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(fetch.urllib.request, "urlopen", unreachable)
    with pytest.raises(UserError, match=r"`dataset` cifar10: .*no network in this test.*`data_dir`"):
        load("cifar10")


def test_catalog_agrees_with_tfds():
    for entry in catalog.CATALOG:
        if entry.tfds is not None:
            files = fetch.remote_files(entry)
            assert sum(file.size for file in files) == entry.bytes, entry.name
            assert all(len(file.sha256) == 64 for file in files)
        assert entry.licence
        assert entry.citation
    assert [entry.name for entry in catalog.CATALOG][:4] == ["digits", "mnist", "fashion_mnist", "kmnist"]


@pytest.mark.slow
def test_tfds_is_imported_only_where_it_is_needed(tmp_path, write_idx):
    import subprocess

    write_idx(tmp_path / "idx")
    code = (
        "import sys, genjax.data as d; d.load(); d.load('mnist', sys.argv[1]); "
        "assert 'tensorflow_datasets' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "idx")], check=True)
