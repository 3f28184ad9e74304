"""RBM or DBM? GAN, VAE or diffusion? Every family on MNIST after the same minutes of one core, by one measure.

    python -m experiments.one_budget --data-dir DIR [--families NAME ...] [--long NAME ...] [--quick | --smoke]

Six minutes of training on one core for each family and seed, three seeds; its rate is the best of the usual one times
a quarter, a half, 1, 2 and 4, by runs of a quarter of that time on the validation images (log-likelihood, or its
bound; without one the Frechet distance of samples). How many steps that is a short run tells first; compiling does not
count. Test images: nats and of which kind, samples by a classifier (trained first, and kept), copies, parameters,
seconds and memory of 1,000 independent samples (of chains: as many sweeps as their autocorrelation time), wrong pixels
where the middle third of the rows was removed. Models of binary pixels all have the same fixed draw of the test images;
flow matching and GANs learn intensities. Each cell is a process of its own on a core of its own, and then a file in
--cells (by default experiments/results/one_budget): a later call makes what is missing. --long NAME: one more run of
45 minutes. Writes the table, samples.png (ten of each, unpicked) and curves.png. Full: 3 hours and a half on two cores;
--seconds 20 --workers 1 on a GPU. --quick: digits, a few families, 3 s each.
"""

import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from experiments import budget_tables
from experiments.budget_cells import FAMILIES, SCALES, cell, images_of, path_of
from experiments.common import options
from genjax.api.classifier import classifier_of


def made(chosen: Namespace, cells: list[tuple[str, str, int]]) -> None:
    """All of them, each in a process and on a core of its own, so many at once; in this process for --workers 0."""
    if not chosen.workers:
        for name, kind, number in cells:
            cell(chosen, name, kind, number)
        return
    cores = list(range(chosen.workers))

    def one(asked: tuple[str, str, int]) -> None:
        core = cores.pop()
        pin = (lambda: os.sched_setaffinity(0, {core})) if chosen.scale == "full" else None
        words = ["--cell", asked[0], asked[1], str(asked[2])]
        print(f"{time.strftime('%H:%M')} {' '.join(words[1:])}", flush=True)
        subprocess.run([sys.executable, "-m", "experiments.one_budget", *sys.argv[1:], *words], preexec_fn=pin)
        cores.append(core)

    with ThreadPoolExecutor(chosen.workers) as pool:
        list(pool.map(one, [asked for asked in cells if not path_of(chosen, *asked).exists()]))


def main() -> None:
    """What is missing of the cells, then table and figures."""
    more: dict[str, Any] = {
        "--families": {"nargs": "+", "choices": list(FAMILIES), "help": "some of them"},
        "--long": {"nargs": "*", "choices": list(FAMILIES), "default": [], "help": "45 minutes more of these"},
        "--cells": {"type": Path, "help": "where finished cells lie"},
        "--seconds": {"type": float, "help": "of a run, in place of 360"},
        "--workers": {"type": int, "help": "processes side by side (by default one a core; 0: none but this)"},
        "--cell": {"nargs": 3, "help": "make one: family, kind and number"},
    }
    chosen = options(__doc__, "one-budget", "digits, six families, 3 s each", mnist=True, more=more)
    scale = SCALES[chosen.scale]
    chosen.seconds = chosen.seconds or scale.seconds
    if chosen.workers is None:
        chosen.workers = os.cpu_count() if chosen.scale == "full" else 0
    if chosen.cells is None:
        chosen.cells = Path(__file__).parent / "results/one_budget" if chosen.scale == "full" else chosen.out / "cells"
    if chosen.cell:
        cell(chosen, chosen.cell[0], chosen.cell[1], int(chosen.cell[2]))
        return
    classifier_of(images_of(chosen))
    names = chosen.families or scale.families
    made(chosen, [(name, "speed", 0) for name in names])
    made(chosen, [(name, "trial", number) for name in names for number in range(len(scale.factors))])
    made(chosen, [(name, "result", seed) for seed in range(scale.seeds) for name in names])
    made(chosen, [(name, "cost", 0) for name in names])
    made(chosen, [(name, "longer", 0) for name in chosen.long])
    rows = [json.loads(path.read_text()) for path in sorted(chosen.cells.glob("*.json"))]
    rows = [row for row in rows if row["family"] in names]
    print("\n".join(budget_tables.table(rows, names)))
    for figure, name in budget_tables.figures(rows, names, images_of(chosen).shape, chosen.seconds):
        print(budget_tables.save(figure, chosen.out / name))


if __name__ == "__main__":
    main()
