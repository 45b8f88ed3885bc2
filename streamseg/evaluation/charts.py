"""Line charts as inline SVG: no scripts, no files beside them, legible on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]
Range = tuple[float, float]

# Okabe and Ito, Color Universal Design (2008): told apart by colour-blind readers, and visible on white and on black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c8c00", "#7f7f7f")
_WIDTH, _HEIGHT = 520, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 22, 10, 42
_MOST_POINTS = 400
_MARKED = 25  # a line of fewer points shows each


def line_chart(
    title: str, x_label: str, series: Mapping[str, Points], x_range: Range | None = None, y_range: Range | None = None
) -> str:
    """A chart as an HTML ``figure``.

    Args:
        title: What is drawn.
        x_label: What runs along x.
        series: Points x, y by name; those that are not finite are left out.
        x_range: Ends of the x axis; by default those of the points.
        y_range: Likewise for y; by default from 0 where nothing is below it.
    """
    lines = {name: _finite(points) for name, points in series.items()}
    every = [point for points in lines.values() for point in points]
    low, high = x_range or _range([x for x, _ in every])
    bottom, top = y_range or _range([*(y for _, y in every), 0.0])

    def place(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + (x - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)
        down = _HEIGHT - _BOTTOM - (y - bottom) / (top - bottom) * (_HEIGHT - _TOP - _BOTTOM)
        return across, down

    parts = []
    for value in ticks(bottom, top):
        y = place(low, value)[1]
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.6g}</text>')
    for value in ticks(low, high):
        x = place(value, bottom)[0]
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{value:.6g}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>')
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(lines)}
    parts += [_line([place(*point) for point in points], colours[name]) for name, points in lines.items()]
    return (
        f'<figure class="chart"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
        f"{swatches(colours)}</figure>"
    )


def swatches(colours: dict[str, str]) -> str:
    """A legend as HTML: CSS colours by name."""
    spans = (f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in colours.items())
    return f'<div class="legend">{"".join(spans)}</div>'


def ticks(low: float, high: float) -> list[float]:
    """Round values from ``low`` to ``high``, three to nine of them."""
    rough = (high - low) / 8
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    return [step * number for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _range(values: Sequence[float]) -> Range:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):
        return low, low + max(abs(low), 1.0)
    return low, high


def _finite(points: Points) -> list[tuple[float, float]]:
    """The points that can be drawn, thinned out evenly where they are too many to see, the last one kept."""
    finite = [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    every = math.ceil(len(finite) / _MOST_POINTS) if finite else 1
    return finite[(len(finite) - 1) % every :: every] if finite else []


def _line(places: Sequence[tuple[float, float]], colour: str) -> str:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    line = f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>'
    if len(places) >= _MARKED:
        return line
    return line + "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)
