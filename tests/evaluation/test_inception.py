"""FID on the Inception network: torch-fidelity's numbers from torch-fidelity's network, and files that are refused.

No weights come with the tests: the network's are random here, which is all the same to the arithmetic.
"""

import sys

import numpy as np
import pytest

from genjax.errors import UserError
from genjax.evaluation.inception import inception, inception_distances, inception_features


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file with random weights, as a user would have the trained ones."""
    torch = pytest.importorskip("torch", reason="torch-fidelity (the fid extra) is not installed")
    theirs = pytest.importorskip(
        "torch_fidelity.feature_extractor_inceptionv3", reason="torch-fidelity (the fid extra) is not installed"
    )
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda *_, **__: None)
        torch.save(theirs.FeatureExtractorInceptionV3("inception", ["2048"]).state_dict(), path)
    return path


def test_fid_is_that_of_torch_fidelity(weights):
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    network, random = inception(weights), np.random.default_rng(0)
    samples, train, test = (random.uniform(0, share, (5, 64)).astype(np.float32) for share in (0.3, 1, 1))
    shares = []
    found = inception_distances(network, samples, train, test, (8, 8, 1), shares.append)
    import torch

    def theirs(x):
        images = np.rint(255 * x).astype(np.uint8).reshape(-1, 1, 8, 8).repeat(3, 1)
        return fid_features_to_statistics(network(torch.tensor(images))[0])

    for name, x in (("samples", samples), ("real", train[np.random.default_rng(0).permutation(5)])):
        expected = fid_statistics_to_metric(theirs(x), theirs(test), False)["frechet_inception_distance"]
        assert found[name]["fid"] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert shares[-1] == 1
    assert shares == sorted(shares)


def test_colours_count_and_other_channels_refused(weights):
    network = inception(weights)
    grey = np.full((1, 16), 0.5, np.float32)
    colours = np.stack([grey, grey, grey], -1).reshape(1, -1)
    same = inception_features(network, grey, (4, 4, 1)), inception_features(network, colours, (4, 4, 3))
    np.testing.assert_array_equal(*same)
    colours[:, ::3] = 0
    assert not np.array_equal(inception_features(network, colours, (4, 4, 3)), same[0])
    with pytest.raises(UserError, match="2 channels"):
        inception_features(network, np.zeros((1, 32), np.float32), (4, 4, 2))


def test_files_that_are_not_the_weights_are_refused(weights, tmp_path):
    import torch

    with pytest.raises(UserError, match="no file"):
        inception(tmp_path / "none.pth")
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="does not hold"):
        inception(tmp_path / "other.pth")
    torch.save(print, tmp_path / "code.pth")
    with pytest.raises(UserError, match="does not hold"):
        inception(tmp_path / "code.pth")


def test_without_torch_fidelity_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UserError, match=r"\[fid\]"):
        inception(tmp_path / "weights.pth")
