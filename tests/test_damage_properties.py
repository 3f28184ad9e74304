"""Whatever bytes, texts, JSON and arrays are given: an answer or a `UserError`, and nothing else."""

import contextlib
import dataclasses
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jaxtyping import TypeCheckError

import genjax
from genjax.cli.main import main
from genjax.data import arrays as files
from genjax.data import idx, ratings
from genjax.errors import UserError
from genjax.training.folder import read_config, read_evaluation, read_metrics
from genjax.training.options import build, from_json, options, to_json

pytestmark = pytest.mark.slow
often = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
tree = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)
numbers = st.sampled_from(["1", "2", "3.5", "nan", "1e99", "-1", "", "x", "'", '"', "²", "9" * 5000])
MODEL = type(genjax.rbm())


@contextlib.contextmanager
def refused():
    """Only a `UserError` is an answer in place of an answer, or the refusal of these tests' own check of types, which
    looks at a drawn item of a sequence and so now and then says another thing of the same value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(UserError, TypeCheckError):
            yield


@pytest.fixture(name="path", scope="module")
def path_fixture(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("any") / "file"


@often
@given(st.binary(max_size=40), st.sampled_from([1, 3]), st.booleans())
def test_any_bytes_after_the_beginning_of_an_idx_file(path, content, axes, plain):
    path.write_bytes((bytes([0, 0, 8, axes]) if plain else b"\x1f\x8b\x08") + content)
    with refused():
        assert idx.read(path, axes).ndim == axes


@often
@given(st.lists(st.lists(numbers, max_size=5), max_size=5), st.sampled_from(["\t", ",", "|"]), st.binary(max_size=9))
def test_any_file_of_ratings(path, lines, separator, more):
    path.write_bytes("\n".join(map(separator.join, lines)).encode() + more)
    with refused():
        ratings.split(ratings.ordered(ratings.read(path)))


@often
@given(st.text(max_size=60), st.binary(max_size=30))
def test_any_header_of_an_npy_file(path, header, content):
    text = header.encode()
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content)
    with refused():
        files.read_npy(path)


@often
@given(
    arrays.arrays(
        arrays.scalar_dtypes() | arrays.unicode_string_dtypes(max_len=3),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0),
    ),
    st.none() | arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(max_dims=2)),
    st.floats(),
)
def test_any_arrays(x, y, share):
    with refused():
        data = genjax.Dataset.from_arrays(x, y, validation=share)
        assert np.isfinite(np.asarray(data.train)).all()


@often
@given(
    st.dictionaries(
        st.sampled_from([option.name for option in options(MODEL)]), leaf | st.tuples(leaf, leaf), max_size=4
    )
)
def test_any_options(given_options):
    with refused():
        config = build(MODEL, given_options)
        config.check()
        assert math.isfinite(config.learning_rate)


@often
@given(st.dictionaries(st.sampled_from([field.name for field in dataclasses.fields(MODEL)]), tree, max_size=3))
def test_any_config(changed):
    with refused():
        from_json(MODEL, to_json(genjax.rbm()) | changed)


@often
@given(tree | st.dictionaries(st.sampled_from(["format", "log_likelihood", "step", "run"]), tree, max_size=3))
def test_any_json_in_a_run(path, content):
    folder = path.parent
    for name in ("config.json", "evaluation.json", "metrics.jsonl"):
        (folder / name).write_text(json.dumps(content))
    with refused():
        read_evaluation(folder)
        assert all(type(entry["step"]) is int for entry in read_metrics(folder))
        read_config(folder)


@often
@given(st.lists(st.text(max_size=9), min_size=1, max_size=3))
def test_any_command_line(words):
    with contextlib.suppress(SystemExit):
        assert main(["train", "rbm", "--epochs", "0", *words]) == 2
