"""Runs side by side as one HTML page that needs nothing else: table, curves with values at the pointer, pictures."""

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # told apart by everybody
WIDTH, HEIGHT, EDGE = 560, 220, 46
POINTS = 80  # of a curve
NO_METRICS = ("step", "epoch", "stage", "seconds")
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 76rem; padding: 0 1rem; color: #222 }
.wide { overflow-x: auto } table { border-collapse: collapse } th, td { padding: .25rem .7rem; text-align: right;
border-bottom: 1px solid #ddd } .many { display: flex; flex-wrap: wrap; gap: 1rem }
figure { margin: 0; flex: 1 1 20rem }
img, svg { max-width: 100%; height: auto } figcaption { font-size: 13px } h2 { margin-top: 2rem }
@media print { figure { break-inside: avoid } }
"""


def page(table: str, runs: Sequence[Any], title: str = "Runs side by side") -> str:
    """The page; `table` is its first part, as HTML. Pictures are those in the runs' folders."""
    legend = " &nbsp; ".join(f'<span style="color:{c}">&#9632;</span> {escape(r.name)}' for c, r in _coloured(runs))
    body = [f"<h1>{escape(title)}</h1>", f'<div class="wide">{table}</div>', f"<h2>Learning curves</h2><p>{legend}</p>"]
    body += ['<div class="many">', *(curve(name, runs) for name in metrics(runs)), "</div>"]
    for name in pictures(runs):
        body += [f"<h2>{escape(name.replace('-', ' '))}</h2>", '<div class="many">']
        body += [picture(run, name) for run in runs if name in pictures([run])]
        body.append("</div>")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}'
    top = f'<!doctype html><html lang="en"><head>{head}</title><style>{STYLE}</style></head>'
    return f"{top}<body>{''.join(body)}</body></html>"


def _coloured(runs: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(COLOURS[number % len(COLOURS)], run) for number, run in enumerate(runs)]


def metrics(runs: Sequence[Any]) -> list[str]:
    """What any of the runs has measured, in the order in which they did."""
    return [name for name in dict.fromkeys(n for run in runs for n in run.history) if name not in NO_METRICS]


def curve(name: str, runs: Sequence[Any]) -> str:
    """One metric of all runs against epochs, as a drawing whose points say their values under the pointer."""
    lines = {}
    for colour, run in _coloured(runs):
        history = run.history
        if name in history and np.isfinite(history[name]).any():
            known = np.flatnonzero(np.isfinite(history[name]))
            known = known[np.unique(np.linspace(0, len(known) - 1, POINTS).round().astype(int))]
            lines[run.name] = (colour, history.get("epoch", history["step"])[known], history[name][known])
    if not lines:
        return ""
    xs, ys = (np.concatenate([line[part] for line in lines.values()]) for part in (1, 2))
    (left, right), (low, high) = ((float(v.min()), float(v.max())) for v in (xs, ys))
    across, up = right - left or 1.0, high - low or 1.0
    parts = []
    for run, (colour, x, y) in lines.items():
        px = EDGE + (x - left) / across * (WIDTH - EDGE - 10)
        py = HEIGHT - 24 - (y - low) / up * (HEIGHT - 36)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(px, py))
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{points}"/>')
        for a, b, epoch, value in zip(px, py, x, y):
            said = f"{escape(run)}: {value:.5g} at epoch {epoch:.4g}"
            parts.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="5" fill="{colour}" fill-opacity="0.15">'
                         f"<title>{said}</title></circle>")  # fmt: skip
    marks = [(2, 16, f"{high:.4g}"), (2, HEIGHT - 24, f"{low:.4g}"), (EDGE, HEIGHT - 6, f"{left:.4g}")]
    marks.append((WIDTH - 90, HEIGHT - 6, f"epoch {right:.4g}"))
    parts += [f'<text x="{x}" y="{y}" font-size="11" fill="#555">{text}</text>' for x, y, text in marks]
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'
    return f"<figure><figcaption>{escape(name.replace('_', ' '))}</figcaption>{drawing}</figure>"


def pictures(runs: Sequence[Any]) -> list[str]:
    """The names of the figures in the runs' folders, without the curves, which are drawn anew."""
    folders = [run.folder / "figures" for run in runs if run.folder is not None]
    return sorted({path.stem for folder in folders for path in folder.glob("*.png")} - {"curves"})


def picture(run: Any, name: str) -> str:
    """One figure of a run, within the page."""
    assert run.folder is not None
    data = base64.b64encode((run.folder / "figures" / f"{name}.png").read_bytes()).decode()
    caption = escape(run.name)
    image = f'<img alt="{caption}: {escape(name)}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
