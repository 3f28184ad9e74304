"""How good are the sampler's random words? `python -m benchmarks.randomness --help`; the summary is printed last.

The generator is written again in C (randomness.c), which is first checked bit for bit against `genjax.random.words`.
Then our own tests run, and dieharder -a (Brown, Eddelbuettel and Bauer) where it is installed. One test of one stream
and one key is one text file under --out; a file that is there and finished is not run again.
"""

import os
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import jax
import numpy as np
import tyro

from genjax.random import words as jax_words

HERE = Path(__file__).parent
STREAMS = ("rows", "columns", "sweeps", "keys")
ORDERED = ("serial", "birthday", "birthday64")  # these see the order of the words
MATRIX = ("rectangle", "lines", "sums", "rank")  # these see a layer's matrix, which the other streams only reorder
CONTROL = "aes"  # dieharder's own generator 205: what of a result is dieharder's
PLANTED = "counter"  # a permutation of the 32-bit words: the collision test has to fail it
RESULT = re.compile(r"^(?P<what>.{34}) . +(?P<statistic>\S+)   p (?P<p>\S+)$")
DIEHARDER = re.compile(r"^ *(\S+)\| +(\d+)\| +\d+\| +\d+\|([\d.]+)\| +(PASSED|WEAK|FAILED)")


def main(
    out: Path,
    words: int = 2**32,
    streams: tuple[str, ...] = STREAMS,
    keys: tuple[int, ...] = (1, 2, 3),
    own: bool = True,
    dieharder: bool = True,
) -> None:
    """Test the random words and print a summary.

    Args:
        out: the folder of the results, one text file each.
        words: length of the streams for our own tests (dieharder takes what it needs).
        streams: among rows, columns, sweeps and keys.
        keys: seeds of the root keys.
        own: run our own tests.
        dieharder: run dieharder -a where it is installed.
    """
    out.mkdir(parents=True, exist_ok=True)
    program = compile_c(out)
    check_equal(program)
    if own:
        for key in keys:
            for stream in streams:
                for test in tests_of(stream):
                    run(out / f"{stream}.{key}.{test}.txt", [program, test, stream, str(key), str(words)])
        for test in ("collision", "serial", "birthday"):
            run(out / f"{PLANTED}.{keys[0]}.{test}.txt", [program, test, PLANTED, str(keys[0]), str(words)])
    if dieharder and shutil.which("dieharder"):
        for key in keys:
            for stream in streams:
                words_within = {"LD_PRELOAD": f"{program}.so", "STREAM": stream, "SEED": str(key)}
                run(out / f"{stream}.{key}.dieharder.txt", ["dieharder", "-a", "-g", "200"], words_within)
        run(out / f"{CONTROL}.{keys[0]}.dieharder.txt", ["dieharder", "-a", "-g", "205"])
    print(summary(out))


def tests_of(stream: str) -> tuple[str, ...]:
    match stream:
        case "rows":
            return ("collision", *ORDERED, *MATRIX)
        case "columns":  # the words of `rows` in another order
            return ORDERED
        case _:
            return ("collision", *ORDERED)


def compile_c(out: Path) -> str:
    """The program, and the library that feeds dieharder next to it (`.so`)."""
    program = str((out / "randomness").resolve())
    for options in (["-o", program], ["-DPRELOAD", "-shared", "-fPIC", "-o", f"{program}.so"]):
        command = ["cc", "-O3", "-march=native", *options, HERE / "randomness.c", "-lm"]
        subprocess.run(command, check=True, timeout=120)
    return program


def run(file: Path, command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a command to its end and keep what it prints."""
    if file.exists() and finished(file.read_text()):
        return
    print(file.stem, flush=True)
    begun = time.perf_counter()
    with file.open("w") as text:
        surroundings = {**os.environ, **(environment or {})}
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=text, env=surroundings).returncode
        text.write(f"# exit {code}, {(time.perf_counter() - begun) / 60:.1f} minutes\n")


def finished(text: str) -> bool:
    return "# exit 0," in text


def check_equal(program: str) -> None:
    """The C words are those of genjax.random.words, in every stream."""

    def written(stream: str, count: int) -> np.ndarray:
        command = [program, "write", stream, "7", str(count)]
        return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<u4")

    root, fold = jax.random.key(7, impl="threefry2x32"), jax.random.fold_in
    layers = [jax_words(fold(fold(root, t), n), 1000, units) for t in range(2) for n, units in enumerate((784, 500))]
    of_sweep = jax.jit(jax.vmap(lambda t: jax_words(fold(fold(root, t), 0), 4, 4).ravel()))
    of_key = jax.vmap(lambda key: jax_words(key, 4, 4))
    expected = {
        "rows": np.concatenate([np.ravel(layer) for layer in layers]),
        "columns": np.concatenate([np.ravel(np.transpose(layer)) for layer in layers]),
        "sweeps": np.transpose(of_sweep(np.arange(65536))).ravel(),
        "keys": np.ravel(of_key(jax.random.split(root, 5000))),
    }
    for stream, stored in expected.items():
        np.testing.assert_array_equal(written(stream, stored.size), stored, stream)
    print(f"C and JAX agree bit for bit: {sum(stored.size for stored in expected.values()):,} words of 4 streams")


def summary(out: Path) -> str:
    """All that finished in the folder, as Markdown."""
    own, battery, unfinished = [], [], []
    for file in sorted(out.glob("*.txt"), key=lambda file: (order(file), file.name)):
        stream, key, test = file.stem.split(".")
        text = file.read_text()
        if not finished(text):
            unfinished.append(f"{test} on {stream}, key {key}")
        elif test == "dieharder":
            battery.append(dieharder_row(stream, key, text))
        else:
            found = filter(None, map(RESULT.match, text.splitlines()))
            own += [f"| {stream} | {key} | {r['what'].strip()} | {r['statistic']} | {r['p']} |" for r in found]
    lines = ["| stream | key | test | statistic | p |", "|---|---|---|---|---|", *own, ""]
    if battery:
        lines += ["| stream | key | p-values | their mean | PASSED | WEAK | FAILED | minutes | not passed |"]
        lines += ["|---|---|---|---|---|---|---|---|---|", *battery, ""]
    if unfinished:
        lines += ["Not finished: " + "; ".join(unfinished) + ".", ""]
    return "\n".join(lines)


def order(file: Path) -> int:
    return [*STREAMS, PLANTED, CONTROL].index(file.name.split(".")[0])


def dieharder_row(stream: str, key: str, text: str) -> str:
    found = [row.groups() for row in map(DIEHARDER.match, text.splitlines()) if row]
    counts = Counter(verdict for *_, verdict in found)
    poor = ", ".join(f"{name} {size}: {p} {verdict}" for name, size, p, verdict in found if verdict != "PASSED")
    minutes = text.rsplit("# exit 0, ", 1)[1].split()[0]
    mean = f"{np.mean([float(p) for _, _, p, _ in found]):.3f}"
    cells = (stream, key, len(found), mean, counts["PASSED"], counts["WEAK"], counts["FAILED"], minutes, poor)
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    tyro.cli(main)
