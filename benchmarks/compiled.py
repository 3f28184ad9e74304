"""What the text of a program compiled for a TPU says: the compiler's own estimate of cycles, and its collectives.

A loop's text does not say how often it runs, so whoever reads it says so.
"""

import math
import re
from typing import NamedTuple

LINE = re.compile(r"^\s*(?:ROOT )?%?[\w.-]+ = (?P<shape>.*?) (?P<operation>[a-z][a-z0-9-]*)\(")
COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "reduce-scatter", "collective-permute")
BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s16": 2, "u16": 2, "f32": 4, "s32": 4, "u32": 4}


class Ran(NamedTuple):
    """What a compiled program's text says of one unit: cycles, and by kind how many collectives, and their bytes."""

    cycles: float
    collectives: dict[str, float]
    sent: float


def read(text: str, trips: tuple[float, ...]) -> Ran:
    """The instructions that are run, those of loops as often as these say: `as_text()` does not."""
    bodies: dict[str, list[str]] = {}
    entry, lines = "", []
    for line in text.splitlines():
        if line.endswith("{") and (line.startswith("%") or line.startswith("ENTRY")):
            name = line.removeprefix("ENTRY ").split(" ")[0].lstrip("%")
            entry, lines = name if line.startswith("ENTRY") else entry, bodies.setdefault(name, [])
        elif line.startswith("  "):
            lines.append(line)
    cycles, collectives, sent = 0.0, dict.fromkeys(COLLECTIVES, 0.0), 0.0

    def walk(name: str, times: float, depth: int) -> None:
        nonlocal cycles, sent
        for line in bodies.get(name, ()):
            if found := re.search(r'"estimated_cycles":"(\d+)"', line):
                cycles += times * int(found[1])
            instruction = LINE.match(line)
            kind = "" if instruction is None else instruction["operation"].removesuffix("-start")
            if instruction is not None and kind in collectives:
                collectives[kind] += times
                sent += times * size_of(instruction["shape"])
            if inner := re.search(r"[ ,]body=%?([\w.-]+)", line):
                walk(inner[1], times * (trips[depth] if depth < len(trips) else 1), depth + 1)
            for called in re.findall(r"(?:to_apply|branch_computations=\{|true_computation|calls)=?%?([\w.-]+)", line):
                if kind in ("call", "conditional", "async"):
                    walk(called, times, depth)

    walk(entry, 1 / math.prod(trips), 0)
    return Ran(cycles, {kind: count for kind, count in collectives.items() if count}, sent)


def size_of(shape: str) -> int:
    """Bytes of the arrays in a text such as `(f32[784,500]{1,0}, f32[500]{0})`."""
    found = re.findall(r"\b([a-z]+\d*)\[([\d,]*)\]", shape)
    return sum(BYTES.get(kind, 0) * math.prod(map(int, filter(None, sizes.split(",")))) for kind, sizes in found)
