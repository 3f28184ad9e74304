"""Files of ratings."""

from collections.abc import Iterator

from tests.damage.case import Case, damages, file

TRAIN = [
    "train",
    "recommender",
    "--hidden",
    "2",
    "--epochs",
    "1",
    "--no-evaluate",
    "--out",
    "run",
    "--dataset",
    "u.data",
]


def cases() -> Iterator[Case]:
    """All of them."""
    for name, content in damages(whole()):
        yield Case(f"u.data: {name}", file("u.data", content, TRAIN), False)
    for name, text in texts().items():
        yield Case(f"u.data with {name}", file("u.data", text.encode(), TRAIN))
    yield Case("u.data in UTF-16", file("u.data", whole().decode().encode("utf-16"), TRAIN))
    yield Case(
        "u.data with a user of 5000 digits", file("u.data", whole() + b"9" * 5000 + b"\t1\t3\t0\n", TRAIN), False
    )
    yield Case("u.data with an item of odd digits", file("u.data", whole() + "٣\t²\t3\t0\n".encode(), TRAIN), False)
    yield Case("u.data of 60000 users and items", file("u.data", diagonal, TRAIN), greedy=True)
    yield Case("u.data of one line of 40 MB", file("u.data", lambda: b"9" * 40_000_000, TRAIN), greedy=True)
    yield Case("u.data of 40 MB of quotes", file("u.data", lambda: b'"' + b"a,\n" * 13_000_000, TRAIN), greedy=True)


def whole() -> bytes:
    """Of 12 users and 9 items."""
    return "".join(f"{user}\t{item}\t{1 + user * item % 5}\t0\n" for user in range(12) for item in range(9)).encode()


def diagonal() -> bytes:
    """A matrix of 3.6 billion entries."""
    return "".join(f"{number}\t{number}\t{1 + number % 5}\t0\n" for number in range(60_000)).encode()


def texts() -> dict[str, str]:
    """Files that are readable but wrong."""
    lines = whole().decode()
    return {
        "nothing but newlines": "\n\n\n",
        "a heading alone": "user\titem\trating\ttimestamp\n",
        "a heading without items": "user,rating\n1,3\n2,4\n",
        "one rating": "1\t1\t3\t0\n",
        "two columns": "1\t2\n3\t4\n",
        "nine columns": "1\t2\t3\t4\t5\t6\t7\t8\t9\n",
        "words for ratings": "1\t1\tgood\t0\n2\t1\tbad\t0\n",
        "NaN for a rating": lines + "50\t1\tnan\t0\n",
        "infinity for a rating": lines + "50\t1\tinf\t0\n",
        "1e308 for a rating": lines + "50\t1\t1e308\t0\n",
        "thirds for ratings": lines + "50\t1\t3.33\t0\n",
        "5000 digits for a rating": lines + "50\t1\t" + "9" * 5000 + "\t0\n",
        "words for timestamps": lines + "50\t1\t3\tyesterday\n",
        "an empty user": lines + "\t1\t3\t0\n",
        "a rating given twice": lines + "1\t1\t3\t0\n",
        "a line that is cut": lines + "50\t1",
        "equal ratings": "1\t1\t3\t0\n1\t2\t3\t0\n2\t1\t3\t0\n",
        "columns in another order": "".join(f"{k * 881250949}\t3\t{k}\t1\n" for k in range(1, 60)),
        "quotes that do not end": '"1,2,3\n' * 20,
        "zero bytes": "1\t\0\t3\t0\n" * 3,
    }
