"""Ten things that a person does in a notebook, each a cell of few statements, in a fresh process."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

BITS = "x = (np.random.default_rng(0).random((500, 30)) < 0.3).astype(np.float32)\n"
IMAGES = "x = (np.random.default_rng(0).random((500, 6, 5)) < 0.3).astype(np.float32)\n"
TRAINED = IMAGES + "run = genjax.fit(genjax.rbm(hidden=8, chains=20), x, steps=20, progress=False)\n"


class Task(NamedTuple):
    """A cell: what it does in at most so many statements, what is there before, and what must hold after."""

    most: int
    before: str
    cell: str
    after: str


TASKS = {
    "an RBM on an own array and its log-likelihood": Task(
        3,
        BITS,
        """
run = genjax.fit(genjax.rbm(hidden=10), x, epochs=5)
answer = run.log_likelihood()
print(answer)
""",
        "assert answer.kind == 'exact' and -25 < answer.mean < -15",
    ),
    "exact log Z and free energies": Task(
        2,
        BITS + "rng = np.random.default_rng(1)\nweights = [rng.normal(size=(30, 8)).astype(np.float32)]\n"
        "biases = [np.zeros(30, np.float32), np.zeros(8, np.float32)]\n",
        """
machine = genjax.Machine(weights, biases)
log_z, energies = genjax.likelihood.log_z(machine), genjax.boltzmann.free_energy(machine, x[:10])
""",
        "truth = -np.logaddexp(0, x[:10] @ weights[0]).sum(1)\n"
        "assert log_z.kind == 'exact' and np.allclose(energies, truth, rtol=1e-5)",
    ),
    "half of an image clamped, 100 completions": Task(
        2,
        TRAINED,
        """
missing = np.arange(30).reshape(6, 5) >= 15
completions = run.sample(100, given=x[0], missing=missing, sweeps=50)
""",
        "assert completions.shape == (100, 6, 5) and (completions[:, :3] == x[0, :3]).all()\n"
        "assert len(np.unique(completions, axis=0)) > 50",
    ),
    "AIS and reverse AIS with intervals": Task(
        1,
        TRAINED,
        "both = genjax.likelihood.bracket(run.machine, x.reshape(500, 30))\n",
        "truth = genjax.likelihood.log_z(run.machine).mean\n"
        "for one in both:\n    assert one.low - 0.01 <= truth <= one.high + 0.01, (one, truth)",
    ),
    "dbm-mnist loaded, 16 samples shown": Task(
        2,
        "",
        """
run = genjax.load("dbm-mnist")
run.plot.samples(16, sweeps=20)
""",
        "assert type(run.plot.samples(1, sweeps=1)).__name__ == 'Figure'",
    ),
    "a VAE, codes, decoded codes, prior samples": Task(
        4,
        "",
        """
run = genjax.fit(genjax.vae(latents=2, layers=(50, 50)), "digits", epochs=2)
codes = run.encode(genjax.data.load("digits").test)
images = run.decode(codes)
samples = run.sample(16)
""",
        "assert codes.shape == (360, 2) and images.shape == (360, 8, 8) and samples.shape == (16, 8, 8)",
    ),
    "a GAN with labels, 10 samples of class 3": Task(
        2,
        "",
        """
run = genjax.fit(genjax.gan(conditioning="projection"), "digits", steps=20)
threes = run.sample(10, label=3)
""",
        "assert threes.shape == (10, 8, 8)",
    ),
    "eight seeds and two rates, a table": Task(
        2,
        "",
        """
runs = genjax.grid(genjax.rbm(), "digits", learning_rate=[0.01, 0.06], seeds=8, steps=50)
table = genjax.compare(runs)
""",
        "assert len(runs) == 16 and [row['seeds'] for row in table] == [8, 8], table\nprint(table)",
    ),
    "saved, loaded and sampled without the data, gone on with": Task(
        4,
        IMAGES
        + "genjax.fit(genjax.rbm(hidden=8), x, epochs=2, progress=False).save('first')\nrun = genjax.load('first')\n",
        """
run.save("mine")
run = genjax.load("mine")
samples = run.sample(16)
run = genjax.fit(run, x, epochs=20)
""",
        "assert samples.shape == (16, 6, 5) and run.settings.epochs == 20 and run.step == int(run.state.step) > 20",
    ),
    "an own loop over five seeds": Task(
        8,
        BITS,
        """
example = genjax.example(x)
algorithm, hyper = genjax.rbm(hidden=10, chains=20).algorithm(100, example)
keys = jax.random.split(jax.random.key(0), 5)
states = jax.vmap(algorithm.init, (0, None, None))(keys, example, hyper)
step = jax.jit(jax.vmap(algorithm.step, (0, 0, None)))
for number in range(100):
    batch = genjax.Batch(x[number % 5 * 100 :][:100])
    states, metrics = step(jax.vmap(jax.random.fold_in, (0, None))(keys, number), states, batch)
""",
        "assert (states.step == 100).all() and metrics['gradient_norm'].shape == (5,)\n"
        "assert len({float(w.sum()) for w in states.machine.weights[0]}) == 5",
    ),
}


def statements(cell: str) -> int:
    """All of them, those within loops too; imports do not count."""
    nodes = [node for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.stmt)]
    return sum(not isinstance(node, ast.Import | ast.ImportFrom) for node in nodes)


@pytest.mark.parametrize("name", TASKS)
def test_a_cell_has_few_statements(name):
    """A line each, as it is formatted."""
    task = TASKS[name]
    assert statements(task.cell) <= task.most
    assert all(len(line) <= 120 for line in task.cell.splitlines())


def test_statements_within_loops_count():
    assert statements("import a\nfor b in c:\n    d = 1\n    e = 2\n") == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_a_cell_runs(name, tmp_path):
    task = TASKS[name]
    imports = "import jax\nimport numpy as np\n\nimport genjax\n\n"
    code = "\n".join([imports, task.before, task.cell, task.after])
    root = str(Path(__file__).parent.parent)
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "MPLBACKEND": "Agg"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment, timeout=600)
