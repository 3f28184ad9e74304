"""Checksums of arrays: 64 bits of BLAKE2b as 16 hexadecimal digits, for telling data apart, not for security."""

import hashlib

import numpy as np
from jaxtyping import Shaped, UInt64

from genjax.data.stored import Stored, blocks

SIZE = 8  # bytes


def checksum(header: str, *arrays: Shaped[np.ndarray, "..."] | Stored) -> str:
    """Of a text and the bytes of arrays, in their order. Shapes and types are told apart only if the text says them."""
    digest = hashlib.blake2b(header.encode(), digest_size=SIZE)
    for block in (block for array in arrays if array.size for block in blocks(array)):  # of nothing there is no buffer
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()


def of_rows(x: Shaped[np.ndarray, "rows columns"] | Stored) -> UInt64[np.ndarray, " rows"]:
    """One number for each row, so that the same rows in another order can be known again."""
    rows = (row for block in blocks(x) for row in np.ascontiguousarray(block))
    found = b"".join(hashlib.blake2b(row.data, digest_size=SIZE).digest() for row in rows)
    return np.frombuffer(found, np.uint64)
