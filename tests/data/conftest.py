"""What the tests of data share: a cache of their own, files written byte by byte, and the real MNIST where it is."""

import functools
import gzip
import http.server
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """No test reads or writes the caches of the person who runs it."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("GENJAX_CACHE", str(folder))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no_tfds"))
    return folder


@pytest.fixture(scope="session")
def real():
    """The folder that holds mnist/ (IDX) and tfds/."""
    folder = os.environ.get("GENJAX_DATA")
    if not folder:
        pytest.skip("GENJAX_DATA does not name a folder with mnist/ and tfds/")
    return Path(folder)


@pytest.fixture(scope="session")
def idx_bytes():
    """The IDX format as its specification has it, written here and not by the package."""

    def encode(array):
        return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()

    return encode


@pytest.fixture(scope="session")
def small_set():
    """Images (uint8) and labels of a set of 30 and 10 images of 4 x 5 pixels."""
    rng = np.random.default_rng(7)
    pair = [(rng.integers(0, 256, (n, 4, 5), np.uint8), np.arange(n, dtype=np.uint8) % 3) for n in (30, 10)]
    return pair[0] + pair[1]


@pytest.fixture(scope="session")
def write_idx(idx_bytes, small_set):
    """Writes the four files of `small_set`; returns their paths by what they hold."""

    def write(folder, pattern="{}-{}-idx{}-ubyte.gz", begins=("train", "t10k")):
        folder.mkdir(parents=True, exist_ok=True)
        names = [(part, *kind) for part in begins for kind in (("images", 3), ("labels", 1))]
        paths = [folder / pattern.format(*name) for name in names]
        for path, array in zip(paths, small_set):
            content = idx_bytes(array)
            path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return paths

    return write


@pytest.fixture
def serve():
    """`serve(folder)` starts a server on this machine; returns its address and the list of paths asked for."""
    servers = []

    def start(folder):
        asked = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, format, *args):
                asked.append(self.path)

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
