"""An evaluation in words: brackets, and distances by transport as far as they are known."""

from genjax.evaluation import sentences
from genjax.transport import solvers


def test_sides_that_disagree_are_said_to():
    forward = {"mean": 3.0, "low": 2.9, "high": 3.1, "estimator": "reverse AIS", "trusted": True}

    def said(**reverse):
        numbers = {"log_likelihood": {"test": {"kind": "estimate"}}, "bracket": {"test": [-1.0, 0.0]}}
        return sentences.both_sides(numbers | {"log_z": forward | {"reverse": forward | reverse}})

    assert "the two sides agree" in said(mean=3.2, high=3.3)
    for other in ({"mean": 3.4, "low": 3.2, "high": 3.5}, {"mean": 3.6}, {"mean": float("nan")}):
        assert "the two sides DISAGREE" in said(**other)


def test_distances_by_transport_are_said_as_far_as_they_are_known(monkeypatch):
    """An evaluation of before has none; without the solvers the extra is named; a critic's estimate stands beside."""
    table = dict.fromkeys(("precision", "recall", "density", "coverage", "copies", "frechet_distance"), 0.5)
    table |= {"images": 9, "kernel_distance": {"mean": 0.25}}

    def said(**more):
        return sentences.of_samples({"features": "classifier", "samples": table | more, "real": table | more})

    before = said()
    found = said(sinkhorn_divergence={"mean": 2.5}, wasserstein_distance={"mean": 8.0}, critic_distance=1.25)
    assert [line for line in found if line not in before] == [
        "Sinkhorn divergence 2.500 [2.500]; Wasserstein distance of pixels 8.00 [8.00], by its own critic 1.25 [1.25]; "
        "[real images]"
    ]
    monkeypatch.setattr(solvers, "find_spec", lambda name: None)
    (line,) = [line for line in said(sinkhorn_divergence=None, wasserstein_distance=None) if line not in before]
    assert line.startswith(
        "Sinkhorn divergence - [-]; Wasserstein distance of pixels - [-] (of the extra ot: pip install"
    )


def test_over_fitting_is_said_beside_the_numbers():
    numbers = {"binarisation": "none", "seconds": 1.0, "peak_memory_mb": None}
    said = "OVER-FITTING: validation elbo was best at step 10"
    assert said in sentences.of_evaluation(numbers | {"over_fitting": said})
    assert len(sentences.of_evaluation(numbers)) == 1
