"""The benchmarks: pairing and verdicts on clocks set by hand, peers against enumeration, one small real run."""

import itertools
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import claims, compiled, device, figure, harness, images, problem, products, throughput, tpu
from benchmarks.harness import Effort, Interval, Result, Skip, calibrate, measure, order, ratio
from benchmarks.peers import PEERS
from benchmarks.problem import Problem
from genjax.sampling.gibbs import Gibbs, sample
from tests.machines import random_machine

NHWC = ("NHWC", "HWIO", "NHWC")


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def pass_by(self, seconds):
        self.now += seconds


def fake(clock, seconds, compilation=0.0):
    """A sampler whose sweeps take `seconds()` each, the first call `compilation` more."""
    left = [compilation]

    def run(sweeps):
        clock.pass_by(left.pop() if left else 0)
        for _ in range(sweeps):
            clock.pass_by(seconds())

    return run


def test_ratio_survives_a_machine_that_slows_down():
    # Speed falls by a factor of 30 over the rounds, alike for both: unpaired medians would have quartiles of that
    # size, paired ratios are exact.
    clock, rounds = Clock(), 15
    speed = iter(np.geomspace(1, 30, 1000))
    slow = {"factor": 1.0}
    makers = {name: (lambda s=s: fake(clock, lambda: s * slow["factor"])) for name, s in (("a", 1.0), ("b", 3.0))}
    calls = itertools.count()

    def pause(_):
        if next(calls) % 2 == 0:  # a new round
            slow["factor"] = next(speed)

    found = measure(makers, Effort(rounds, seconds=1.0, limit=math.inf), clock, pause)
    a, b = found["a"], found["b"]
    assert isinstance(a, Result)
    assert isinstance(b, Result)
    assert len(a.seconds) == len(b.seconds) == rounds
    np.testing.assert_allclose(ratio(b.seconds, a.seconds), 3.0)


def test_interval_covers_the_median_ratio():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        times = 2 * np.exp(0.2 * rng.standard_normal(15))
        found = ratio(times, np.ones(15))
        covered += found.low <= 2 <= found.high
    assert covered >= 170  # 95 % nominal; fewer than this has a chance below 1e-6 even at 93 %


def test_calibration_sets_compilation_apart_and_fills_the_time():
    clock = Clock()
    run = fake(clock, lambda: 0.001, compilation=7.0)
    sweeps, compilation = calibrate(run, Effort(seconds=0.25), clock)
    assert compilation == pytest.approx(7.0)
    assert 0.125 <= 0.001 * sweeps <= 0.25
    with pytest.raises(Skip, match="accelerator"):
        calibrate(fake(clock, lambda: 2.5), Effort(limit=2.0), clock)


def test_neighbours_change_from_round_to_round():
    names = ["a", "b", "c", "d"]
    orders = [order(names, number) for number in range(8)]
    assert all(sorted(each) == names for each in orders)
    assert {each[0] for each in orders} == set(names)
    assert {each[each.index("b") - 1] for each in orders if each[0] != "b"} == {"a", "c"}


def test_a_failing_sampler_is_a_reason_and_not_a_crash():
    clock = Clock()

    def absent():
        raise Skip("not installed: pip install absent")

    def breaks_later():
        calls = itertools.count()

        def run(sweeps):
            clock.pass_by(1.0)
            if next(calls) > 4:
                raise RuntimeError("out of memory\nand a traceback")

        return run

    makers = {"fine": lambda: fake(clock, lambda: 1.0), "absent": absent, "breaks": breaks_later}
    found = measure(makers, Effort(6, seconds=1.0), clock, lambda _: None)
    assert list(found) == list(makers)
    assert found["absent"] == "not installed: pip install absent"
    assert found["breaks"] == "failed: RuntimeError: out of memory"
    fine = found["fine"]
    assert isinstance(fine, Result)
    assert len(fine.seconds) == 6


def test_verdicts():
    assert claims.verdict(Interval(1.05, 1.02, 1.08), "at most", 1.1) == "holds"
    assert claims.verdict(Interval(1.08, 1.02, 1.12), "at most", 1.1) == "open"
    assert claims.verdict(Interval(1.2, 1.12, 1.3), "at most", 1.1) == "fails"
    assert claims.verdict(Interval(3.2, 3.1, 3.3), "at least", 3) == "holds"
    assert claims.verdict(Interval(2.5, 2.4, 2.9), "at least", 3) == "fails"


def test_claims_read_the_lines(tmp_path, capsys):
    entry = {"kind": "throughput", "machine": "784-500", "chains": 1000, "row": "genjax"}
    over = {"median": 1.03, "low": 1.01, "high": 1.05}
    absent = {**entry, "row": "jaxbm", "skipped": "not installed: pip install jaxbm"}
    harness.append(tmp_path / "throughput.jsonl", [{**entry, "over_floor": over}, absent])
    verdicts = dict(claims.run(tmp_path))
    assert verdicts["784-500 x 1000: genjax takes at most 1.1 times floor"] == "holds"
    assert verdicts["784-500 x 1000: jaxbm takes at least 2.5 times genjax"] == "not measured"
    assert "pip install jaxbm" in capsys.readouterr().out


def moments(p, chains, rounds, run):
    """Second moments of the visible units, averaged over chains and rounds of 8 sweeps."""
    run(32)
    total = 0
    for _ in range(rounds):
        v = np.asarray(run(8), np.float32)
        assert v.shape == (chains, p.sizes[0])
        total = total + v.T @ v / (chains * rounds)
    return total


FAST = ("genjax", "scikit-learn")
SAMPLERS = [name for name in PEERS if name not in ("floor", "torch.compile")]


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in SAMPLERS])
def test_every_row_samples_the_same_machine(name):
    # A speed counts only if it is the speed of sampling this machine. Second moments against enumeration, with the
    # planted mistake that a peer might be given spins for 0/1 units: weights without their factor.
    rng = np.random.default_rng(1)
    w = 1.5 * rng.standard_normal((4, 3)).astype(np.float32)
    b, c = (rng.standard_normal(n).astype(np.float32) for n in (4, 3))

    def exact(scale):
        v = np.array(list(itertools.product([0, 1], repeat=4)))
        log_p = v @ b * scale + np.logaddexp(0, scale * (v @ w + c)).sum(1)
        p = np.exp(log_p - log_p.max())
        return (v.T * (p / p.sum())) @ v

    p, chains, rounds = Problem((w,), (b, c)), 4096, 4
    try:
        run = PEERS[name].make(p, chains, 0)
    except Skip as reason:
        pytest.skip(str(reason))
    found = moments(p, chains, rounds, run)
    # Rounds of 8 sweeps are nearly independent; 8 standard errors as if only one round counted.
    limit = 8 * 0.5 / math.sqrt(chains)
    assert np.abs(found - exact(1.0)).max() < limit
    assert np.abs(found - exact(2.0)).max() > limit


def test_deeper_machines_and_large_ones_are_refused_in_words():
    deep, large = problem.spin_glass((4, 3, 2)), problem.spin_glass((100, 50))
    for name in ("scikit-learn", "rbms", "jaxbm", "thrml", "hamon"):
        with pytest.raises(Skip):
            PEERS[name].make(deep, 2, 0)
    with pytest.raises(Skip, match="5000 edges"):
        PEERS["thrml"].make(large, 2, 0)


def test_effective_samples_of_independent_draws():
    # Without couplings each sweep is an independent draw.
    p = Problem((np.zeros((6, 4), np.float32),), (np.zeros(6, np.float32), np.ones(4, np.float32)))
    per_sweep = throughput.effective_per_sweep(p, sweeps=1024)
    assert per_sweep is not None
    assert 0.8 < per_sweep < 1.25


@pytest.mark.slow
def test_smoke(tmp_path, capsys):
    assert command.run(tmp_path, "smoke") == 0
    assert (tmp_path / "throughput.png").read_bytes().startswith(b"\x89PNG")
    place, *lines = harness.read(tmp_path / "throughput.jsonl")
    assert place["versions"]["jax"]
    assert place["commit"]
    rows = {line["row"]: line for line in lines}
    assert set(rows) == {"floor", "genjax", "bernoulli"}
    assert not [line for line in lines if "skipped" in line]
    numbers = ["sweeps_per_second", "flips_per_ns", "multiply_adds_per_second", "compile_seconds"]
    assert all(math.isfinite(line[number]) and line[number] >= 0 for line in lines for number in numbers)
    assert rows["floor"]["over_floor"]["median"] == 1.0
    quartiles = rows["genjax"]["seconds_per_sweep"]
    assert 0 < quartiles["lower_quartile"] <= quartiles["median"] <= quartiles["upper_quartile"]
    _, *convolutions = harness.read(tmp_path / "convolution.jsonl")
    assert len(convolutions) == 7
    assert all(math.isfinite(line["milliseconds"]) for line in convolutions)
    memory = harness.read(tmp_path / "memory.jsonl")[-1]
    assert memory["output_bytes"] >= memory["state_bytes"]
    assert "784-500" not in json.dumps(lines)
    assert "x floor" in capsys.readouterr().out


def test_resume_keeps_the_cells_that_are_there(tmp_path, capsys):
    path = tmp_path / "throughput.jsonl"
    kept = {"kind": "throughput", "machine": "4-3", "chains": 2, "row": "all", "skipped": "kept"}
    harness.append(path, [harness.where(), kept])
    cells = (((4, 3), 2), ((4, 3), 3))
    throughput.run(tmp_path, cells, ["floor"], Effort(2, 0.0), ess_sweeps=0, resume=True)
    lines = [line for line in harness.read(path) if line["kind"] != "environment"]
    assert [(line["chains"], line["row"]) for line in lines] == [(2, "all"), (3, "floor")]
    throughput.run(tmp_path, cells[:1], ["floor"], Effort(2, 0.0), ess_sweeps=0)
    assert [(line["chains"], line["row"]) for line in harness.read(path)[1:]] == [(2, "floor")]
    assert figure.run(tmp_path).exists()
    capsys.readouterr()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["sampler", "agreement", "likelihood", "tests"])
def test_what_only_a_device_can_say_is_measured_here_too(part, tmp_path):
    assert device.limited(part, tmp_path, smoke=True) is None
    found = harness.read(tmp_path / "device.jsonl")
    assert found
    assert all(line["part"] == part and "skipped" not in line for line in found)
    assert not any(line.get("layers_of_chains_that_differ") or line.get("status") for line in found)


def test_a_part_over_its_limit_is_ended_with_what_it_has_started(tmp_path, monkeypatch):
    monkeypatch.setitem(device.PARTS, "sampler", device.PARTS["sampler"]._replace(limit=0))
    assert device.limited("sampler", tmp_path, smoke=False) == "was ended after 0 s"


@pytest.mark.parametrize(
    ("dtype", "numbers", "passes"), [("float32", "exact", 4.5), ("int8", "exact", 3), ("int8", "fast", 1)]
)
def test_the_mathematics_of_a_sweep_is_two_products(dtype, numbers, passes):
    """Of states that are carried as float32 those of the layer just drawn are known to be bits, the others not."""
    machine, states = random_machine((5, 4)), tuple(jax.ShapeDtypeStruct((3, n), dtype) for n in (5, 4))
    found = products.work(lambda m, s: sample(jax.random.key(0), m, s, 2, kernel=Gibbs(numbers)), machine, states)
    assert found == (2 * 2 * 3 * 5 * 4, passes * 2 * 2 * 3 * 5 * 4)


def test_the_mathematics_of_a_convolution_leaves_inserted_zeros_out():
    x, kernel = jnp.zeros((2, 8, 8, 3)), jnp.zeros((4, 4, 3, 5))
    down = products.work(
        lambda x, k: jax.lax.conv_general_dilated(x, k, (2, 2), "SAME", dimension_numbers=NHWC), x, kernel
    )
    assert down.flops == 2 * (2 * 4 * 4 * 5) * (4 * 4 * 3)
    up = products.work(lambda x, k: jax.lax.conv_transpose(x, k, (2, 2), "SAME", dimension_numbers=NHWC), x, kernel)
    assert up.flops == 2 * (2 * 16 * 16 * 5) * (4 * 4 * 3) / 4


TEXT = """HloModule jit_step

%inner (p: (s32[], f32[4])) -> (s32[], f32[4]) {
  %x = f32[4]{0} get-tuple-element(%p), index=1
  %r = f32[4]{0:T(128)} all-reduce(%x), replica_groups={{0,1}}, to_apply=%add, backend_config={"estimated_cycles":"7"}
  ROOT %t = (s32[], f32[4]) tuple(%i, %r)
}

%outer (p: (s32[], f32[4])) -> (s32[], f32[4]) {
  %f = f32[4]{0} fusion(%x), kind=kLoop, calls=%unread, backend_config={"estimated_cycles":"100"}
  ROOT %w = (s32[], f32[4]) while(%p), condition=%c, body=%inner
}

%unread (p: f32[4]) -> f32[4] {
  ROOT %y = f32[4]{0} add(%p, %p), backend_config={"estimated_cycles":"1000000"}
}

ENTRY %main (p: f32[4]) -> f32[4] {
  %g = (f32[4]{0}, u8[2,3]{1,0}) all-gather-start(%p), dimensions={0}, backend_config={"estimated_cycles":"40"}
  %h = f32[4]{0} all-gather-done(%g)
  ROOT %w = (s32[], f32[4]) while(%i), condition=%c, body=%outer
}
"""


def test_a_compiled_text_is_read_by_how_often_its_loops_run():
    found = compiled.read(TEXT, (2, 5))  # twice 5 steps
    assert found.cycles == pytest.approx((40 + 2 * (100 + 5 * 7)) / 10)
    assert found.collectives == {"all-reduce": pytest.approx(1.0), "all-gather": pytest.approx(0.1)}
    assert found.sent == pytest.approx(16 + 0.1 * (16 + 6))


@pytest.mark.slow
def test_what_a_compiler_of_tpus_says_is_written_or_why_it_says_nothing(tmp_path):
    assert tpu.limited("v5e-1", ["AIS"], tmp_path) is None
    (line,) = harness.read(tmp_path / "tpu.jsonl")
    if harness.version("libtpu") is None:
        assert "TPU" in line["skipped"]
        return
    assert 0.9 < line["flops_over_mathematics"] < 1.2
    assert line["estimated_microseconds"] > line["roofline_microseconds"]["products"] > 1
    assert line["collectives"] == {}
    assert "us a temperature" in tpu.row(line)


@pytest.mark.slow
def test_made_up_colours_are_trained_on_and_taken_away(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "empty"))
    monkeypatch.setattr(images.tempfile, "tempdir", None)
    (tmp_path / "empty").mkdir()
    (line,) = images.run(tmp_path, images=120, steps=1, models=("vae",))
    assert 1e7 < line["peak_bytes"] < images.MOST
    assert line["file_bytes"] > 120 * 64 * 64 * 3
    assert harness.read(tmp_path / "images.jsonl")[-1] == line
    assert not list((tmp_path / "empty").glob("genjax-images-*"))
    assert "holds" in capsys.readouterr().out
