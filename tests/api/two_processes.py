"""The program of `tests.cli.test_processes`: one of two processes, with four forced devices each.

    python -m tests.api.two_processes HOST:PORT PROCESS FOLDER

trains every model of `MODELS` into FOLDER, and goes on with the run that one device has left in FOLDER/begun.
"""

import sys
from pathlib import Path

import jax

import genjax
from genjax.training import processes, sets

HOW = {"batch_size": 10, "progress": False}
LEVEL = {"schedule": "constant", "average": 0.0}  # whose runs are the same however often they are lengthened
MODELS = {
    "rbm": genjax.rbm(hidden=5, chains=7, **LEVEL),
    "streamed": genjax.rbm(hidden=5, chains=7, **LEVEL),
    "dbn": genjax.dbn(layers=(5, 4), chains=7),
}


def main(coordinator: str, process: int, folder: Path) -> None:
    with processes.together(coordinator, 2, process):
        from tests.api.eight_devices import bits  # which starts JAX's backend

        assert (jax.process_count(), jax.device_count()) == (2, 8)
        for name, model in MODELS.items():
            sets.ROOM = 0 if name == "streamed" else 2**30
            genjax.fit(model, bits(), steps=4, out=folder / name, **HOW)
        genjax.fit(MODELS["rbm"], bits(), steps=4, out=folder / "begun", **HOW)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
