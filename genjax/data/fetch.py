"""Fetching what is not on disk, from the addresses and with the checksums that TensorFlow Datasets names."""

import contextlib
import hashlib
import http.client
import importlib.util
import logging
import queue
import shutil
import threading
import urllib.request
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from genjax.data import cache, idx, prepared
from genjax.data.catalog import Entry
from genjax.data.images import Images
from genjax.errors import UserError

TIMEOUT = 5.0
"""Seconds without a byte after which a server counts as out of reach."""

_CHUNK = 1 << 20
_log = logging.getLogger(__name__)


class Remote(NamedTuple):
    """A file to fetch: address, bytes, sha256 in hexadecimal."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.rpartition("/")[2]


def remote_files(entry: Entry) -> list[Remote]:
    """What the TFDS builder of this set would fetch."""
    import tensorflow_datasets as tfds  # slow to import, and only the first use of a set comes here

    infos = tfds.builder_cls(_builder_name(entry)).url_infos or {}
    return [Remote(url, int(info.size), info.checksum) for url, info in infos.items()]


def folder(entry: Entry) -> Path:
    """Where fetched IDX files of this set are kept; the variants of one archive share it."""
    return cache.folder() / "idx" / _builder_name(entry)


def read_fetched(entry: Entry) -> Images:
    """The set from IDX files that were fetched now or earlier; fetched once more where they are damaged."""
    assert entry.idx is not None
    place = folder(entry)
    if paths := _complete(entry, place):
        try:
            return idx.read_four(paths)
        except UserError as error:
            _log.warning("%s; fetching it again", error)
            with contextlib.suppress(OSError):
                for path in paths:
                    path.unlink()
    fetch(entry, remote_files(entry), place)
    paths = _complete(entry, place)
    if paths is None:
        raise UserError(f"`dataset` {entry.name}: what was fetched holds no such files; {_place_files(entry)}.")
    return idx.read_four(paths)


def fetch(
    entry: Entry, files: Sequence[Remote], place: Path, base: str | None = None, timeout: float = TIMEOUT
) -> None:
    """Puts the files (archives unpacked) into `place`, each only whole and with the right checksum.

    `base` replaces the folder in every address (a mirror, a test's server). Raises `UserError` within seconds
    where there is no network, and leaves nothing half-written.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        for file in files:
            if (place / file.name).is_file():  # only checked files ever get their name
                continue
            url = file.url if base is None else f"{base.rstrip('/')}/{file.name}"
            with cache.writing(place / file.name) as temporary:
                _download(entry, file._replace(url=url), temporary, timeout)
        for archive in place.glob("*.zip"):
            _unpack(archive)
    except OSError as error:
        raise UserError(
            f"`dataset` {entry.name}: what is fetched cannot be kept in {place} ({error.strerror or error}); set "
            f"GENJAX_CACHE to a folder that can be written to and has room, or {_place_files(entry)}."
        ) from None


def prepare(entry_name: str, tfds_name: str) -> Path:
    """Has TFDS download and prepare a set below the cache, which needs TensorFlow; returns the prepared folder."""
    elsewhere = "prepare it with TensorFlow Datasets elsewhere and pass the folder as `data_dir`"
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError(
            f"`dataset` {entry_name}: preparing it needs TensorFlow, which is not installed; "
            f"pip install tensorflow, or {elsewhere}."
        )
    import tensorflow_datasets as tfds

    root = cache.folder() / "tfds"
    try:
        builder = tfds.builder(tfds_name, data_dir=root, file_format="array_record")
        for url in list(builder.url_infos or {})[:1]:  # TFDS itself tries for minutes before it gives up
            _open(url, TIMEOUT).close()
        builder.download_and_prepare()
    except Exception as error:  # TFDS passes on what requests, TensorFlow and its builders raise
        raise UserError(
            f"`dataset` {entry_name}: TensorFlow Datasets could not prepare it ({_reason(error)}); "
            f"connect to the network, or {elsewhere}."
        ) from None
    place = prepared.find(root, tfds_name)
    if place is None:
        raise UserError(f"`dataset` {entry_name}: TensorFlow Datasets left nothing in {root}; {elsewhere}.")
    return place


def _complete(entry: Entry, place: Path) -> list[Path] | None:
    try:
        return idx.find(place, entry.idx or idx.PLAIN)
    except UserError:  # an earlier fetch was cut off between two files
        return None


def _download(entry: Entry, file: Remote, target: Path, timeout: float) -> None:
    _log.info("fetching %s (%.1f MB)", file.url, file.size / 1e6)
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        for chunk in _chunks(entry, file.url, timeout):
            size += len(chunk)
            digest.update(chunk)
            if size > file.size:
                break
            out.write(chunk)
    if (size, digest.hexdigest()) != (file.size, file.sha256):
        sent = f"{size} bytes" if size < file.size else "more" if size > file.size else "other bytes of that number"
        raise UserError(
            f"`dataset` {entry.name}: {file.url} is not the file that was published (sha256 {file.sha256[:12]}..., "
            f"{file.size} bytes; the server sent {sent}); try again later, or {_place_files(entry)}."
        )


def _chunks(entry: Entry, url: str, timeout: float):
    """The body of the answer. Raises `UserError` for what goes wrong on the network; the disk raises OSError."""
    try:
        with _open(url, timeout) as answer:
            while chunk := answer.read(_CHUNK):
                yield chunk
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(
            f"`dataset` {entry.name}: {url} cannot be fetched ({_reason(error)}); connect to the network, or "
            f"{_place_files(entry)}."
        ) from None


def _open(url: str, timeout: float):
    """`urlopen` that gives up: its own timeout counts neither the look-up of names nor each address of a host."""
    answers: queue.Queue = queue.Queue()
    request = urllib.request.Request(url, headers={"User-Agent": "genjax"})

    def work() -> None:
        try:
            answers.put(urllib.request.urlopen(request, timeout=timeout))
        except Exception as error:  # raised below, where someone waits for it
            answers.put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        answer = answers.get(timeout=2 * timeout)
    except queue.Empty:
        raise TimeoutError("no answer in time") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _unpack(archive: Path) -> None:
    """Takes the IDX files, of all variants, out of an archive that has been checked, then removes it."""
    try:
        with zipfile.ZipFile(archive) as packed:
            for member in packed.namelist():
                name = member.rpartition("/")[2]
                if "ubyte" in name:
                    with cache.writing(archive.parent / name) as temporary, temporary.open("wb") as out:
                        shutil.copyfileobj(packed.open(member), out)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise OSError(f"{archive.name}: {error}") from None
    finally:
        archive.unlink()


def _place_files(entry: Entry) -> str:
    names = [options[0] for options in idx.wanted(entry.idx or idx.PLAIN).values()]
    return f"place {', '.join(names)} in a folder and pass it as `data_dir`"


def _builder_name(entry: Entry) -> str:
    return (entry.tfds or entry.name).partition("/")[0]


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    text = getattr(reason, "strerror", None) or str(reason).strip() or type(error).__name__
    return text.splitlines()[0]
