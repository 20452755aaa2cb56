"""The table and the chart of a run, for a terminal and for docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.lab import Figure

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
HEADER = "| scenario | what | median (min … max) | ratio (min … max) | wanted | reached |\n|---|---|---|---|---|---|"
ROW_PX, LEFT_PX, WIDE_PX = 26, 330, 420


def table(figures: Sequence[Figure]) -> str:
    return "\n".join([HEADER, *map(_row, figures)])


def _row(figure: Figure) -> str:
    disk = ", 2 ms per fsync" if figure.slow_disk else ""
    spread = f" ({_short(min(figure.values))} … {_short(max(figure.values))})" if len(figure.values) > 1 else ""
    ratio = ""
    if figure.ratios:
        around = f" ({min(figure.ratios):.2f} … {max(figure.ratios):.2f})" if len(figure.ratios) > 1 else ""
        ratio = f"{figure.ratio:.2f}{around} of {figure.beside_name}"
    reached = {None: "", True: "yes", False: "**no**"}[figure.reached]
    return (
        f"| {figure.scenario} | {figure.variant}{disk} | {_short(figure.median)}{spread} {figure.unit} | {ratio} "
        f"| {figure.target} | {reached} |"
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write(document: Path, figures: Sequence[Figure], about: Mapping[str, str]) -> None:
    """Puts table and chart between the document's markers; the chart is a file beside it."""
    picture = document.with_suffix(".svg")
    picture.write_text(chart(figures), encoding="utf-8")
    facts = "\n".join(f"- {name}: {value}" for name, value in about.items())
    told = f"{BEGIN}\n\n{facts}\n\n![Ratios of one run]({picture.name})\n\n{table(figures)}\n\n{END}"
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    document.write_text(before + told + rest.partition(END)[2], encoding="utf-8")


def chart(figures: Sequence[Figure]) -> str:
    """Every ratio as a bar with its spread; 1 is what it is compared with, a mark shows what is wanted."""
    shown = [figure for figure in figures if figure.ratio is not None and figure.ratio <= 2]
    height = ROW_PX * len(shown) + 40
    scale = WIDE_PX / 1.6
    size = f'width="{LEFT_PX + WIDE_PX + 60}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for tick in (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5):
        x = LEFT_PX + tick * scale
        parts.append(f'<line x1="{x}" y1="24" x2="{x}" y2="{height}" stroke="#{"888" if tick == 1 else "ddd"}"/>')
        parts.append(f'<text x="{x}" y="16" text-anchor="middle" fill="#555">{tick:g}</text>')
    parts += [_bar(figure, 30 + ROW_PX * n, scale) for n, figure in enumerate(shown)]
    return "\n".join([*parts, "</svg>\n"])


def _bar(figure: Figure, y: int, scale: float) -> str:
    assert figure.ratio is not None
    low, high = (LEFT_PX + min(value, 1.6) * scale for value in (min(figure.ratios), max(figure.ratios)))
    label = f"{figure.scenario}: {figure.variant}{', 2 ms per fsync' if figure.slow_disk else ''}"
    colour = {None: "#7a8ba6", True: "#3b8a5a", False: "#c0662d"}[figure.reached]
    wide, middle = min(figure.ratio, 1.6) * scale, y + 8
    wanted = ""
    if figure.target.startswith("≥") and float(figure.target[2:]) <= 1.5:
        x = LEFT_PX + float(figure.target[2:]) * scale
        wanted = f'<line x1="{x:.0f}" y1="{y - 3}" x2="{x:.0f}" y2="{y + 19}" stroke="#222" stroke-width="2"/>'
    return (
        f'<text x="{LEFT_PX - 8}" y="{y + 12}" text-anchor="end">{escape(label)}</text>'
        f'<rect x="{LEFT_PX}" y="{y}" width="{wide:.0f}" height="16" fill="{colour}"/>{wanted}'
        f'<line x1="{low:.0f}" y1="{middle}" x2="{high:.0f}" y2="{middle}" stroke="#222"/>'
        f'<text x="{LEFT_PX + WIDE_PX + 10}" y="{y + 12}">{figure.ratio:.2f}</text>'
    )
