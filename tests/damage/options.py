"""What may stand on a command line."""

from collections.abc import Iterator

from tests.damage.case import Case

HUGE = "9" * 400
NUMBERS = ("-1", "0", "nan", "inf", "-inf", "1e400", HUGE, "9223372036854775808", "0x10", "1,5", "", "--", "one")
LENGTHS = ("--epochs", "--batch-size", "--hidden", "--k", "--chains", "--seed", "--learning-rate", "--average")
TAKEN = {("--seed", "0"), ("--average", "0"), ("--average", "-1")}  # right, or an option of its own


def cases() -> Iterator[Case]:
    """All of them."""
    for option in LENGTHS:
        for number in NUMBERS:
            if (option, number) not in TAKEN:
                yield Case(
                    f"{option} {number[:30]!r}",
                    given(*(TRAIN[:-2] if option == "--epochs" else TRAIN), option, number),
                    option in RULED,
                )
    for line in LINES:
        yield Case(" ".join(line)[:80], given(*line))
    yield from (Case(" ".join(line), given(*line), greedy=True) for line in GREEDY)


RULED = {"--epochs", "--batch-size", "--hidden", "--chains", "--learning-rate"}
"""Of which none of the numbers is right, whatever the data are. Of the others one may be."""


def given(*arguments: str) -> object:
    """A case's `make` of arguments alone."""
    return lambda place: list(arguments)


TRAIN = ("train", "rbm", "--no-evaluate", "--out", "run", "--epochs", "1")
LINES: tuple[tuple[str, ...], ...] = (
    ("",),
    ("\0",),
    ("trian",),
    ("train",),
    ("train", ""),
    ("train", "../rbm"),
    ("train", "rbm", "vae"),
    ("train", "rbm", "--no-such-option", "3"),
    (*TRAIN, "--hidden"),
    (*TRAIN, "--hidden", "3", "4"),
    (*TRAIN, "--dataset", ""),
    (*TRAIN, "--dataset", "\0"),
    (*TRAIN, "--dataset", "a" * 600),
    (*TRAIN, "--dataset", "/dev/null"),
    (*TRAIN, "--dataset", "nowhere.npz"),
    (*TRAIN, "--dataset", "http://example.com/x.npz"),
    (*TRAIN, "--data-dir", "nowhere"),
    (*TRAIN, "--dataset", "mnist", "--data-dir", "\0"),
    (*TRAIN, "--dataset", "mnist", "--data-dir", "/dev/null"),
    (*TRAIN, "--validation", "nowhere.npz"),
    (*TRAIN, "--validation", "1.5"),
    (*TRAIN, "--validation", "nan"),
    (*TRAIN, "--steps", "1"),
    (*TRAIN, "--negative", "exact"),
    (*TRAIN, "--negative", "cd", "--rungs", "3"),
    (*TRAIN, "--devices", "100000"),
    (*TRAIN, "--devices", "-1"),
    (*TRAIN, "--checkpoint-seconds", "nan"),
    (*TRAIN, "--checkpoint-seconds", "-1"),
    (*TRAIN, "--stop-gap", "nan"),
    (*TRAIN, "--log-every", "0"),
    (*TRAIN, "--size", "0"),
    ("train", "rbm", "--no-evaluate", "--out", ""),
    ("train", "rbm", "--no-evaluate", "--out", "\0"),
    ("train", "rbm", "--no-evaluate", "--out", "/dev/null/run"),
    ("train", "rbm", "--no-evaluate", "--out", "/proc/run"),
    ("train", "rbm", "--no-evaluate", "--out", "good"),
    ("train", "rbm", "--out", "a" * 300),
    ("train", "dbm", "--layers", "0", "3", "--out", "run"),
    ("train", "dbm", "--layers", "--out", "run"),
    ("train", "vae", "--latents", "0", "--out", "run"),
    ("train", "vae", "--layers", "-3", "--out", "run"),
    ("train", "gan", "--loss", "none", "--out", "run"),
    ("train", "rbm", "--resume", "nowhere"),
    ("train", "rbm", "--resume", ""),
    ("train", "vae", "--resume", "good"),
    ("train", "rbm", "--resume", "good", "--hidden", "9"),
    ("grid", "rbm", "--seeds", "0", "--out", "run"),
    ("grid", "rbm", "--seeds", "nan", "--out", "run"),
    ("grid", "rbm", "--learning-rate", "0.1", "nan", "--out", "run"),
    ("evaluate",),
    ("evaluate", "nowhere"),
    ("evaluate", "\0"),
    ("evaluate", "."),
    ("evaluate", "good", "--standard-error", "nan"),
    ("evaluate", "good", "--temperatures", "0"),
    ("evaluate", "good", "--ais-chains", "0"),
    ("sample", "good", "--sweeps", "-1"),
    ("sample", "good", "--chains", "0"),
    ("sample", "good", "--label", "3"),
    ("sample", "good", "--seed", HUGE),
    ("sample", "good", "--kernel", "tempered", "--rungs", "0"),
    ("sample", "good", "--out", "/dev/null/x.npz"),
    ("sample", "good", "--out", "x.txt"),
    ("reconstruct", "good", "--remove", "top:100"),
    ("reconstruct", "good", "--remove", "everything"),
    ("reconstruct", "good", "--remove", "random:nan"),
    ("reconstruct", "good", "--remove", "rows:5-2"),
    ("export", "good"),
    ("export", "good", "weights.pickle"),
    ("recommend", "good", "--user", "1"),
    ("latent", "good"),
    ("compare",),
    ("compare", "good", "nowhere"),
    ("runs", "nowhere"),
    ("completion", "perl"),
    ("transfer", "nowhere.png", "china"),
    ("transfer", "china", "flower", "--samples", "0", "--out", "run.png"),
)
GREEDY: tuple[tuple[str, ...], ...] = (
    (*TRAIN, "--hidden", "1000000000000"),
    (*TRAIN, "--hidden", "1000000000"),
    (*TRAIN, "--chains", "1000000000000"),
    (*TRAIN, "--negative", "pcd", "--chains", "1000000000"),
    (*TRAIN, "--batch-size", "1000000000000"),
    ("train", "vae", "--no-evaluate", "--out", "run", "--layers", "10000000000"),
    ("train", "dbm", "--no-evaluate", "--out", "run", "--layers", "1000000", "1000000"),
    ("sample", "good", "--chains", "1000000000000"),
)
