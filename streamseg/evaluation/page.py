"""One HTML file that shows how good a model is: figures, curves and pictures, with nothing beside it."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from streamseg.evaluation.charts import COLOURS, line_chart, swatches
from streamseg.evaluation.coco import Precision
from streamseg.evaluation.pictures import draw
from streamseg.evaluation.report import DataReport
from streamseg.evaluation.truth import Entry, picture_truth
from streamseg.overlay.palette import colour_of
from streamseg.sinks.staging import cannot_write
from streamseg.training.coco import CocoData

SAMPLES = 12


@dataclass(frozen=True, slots=True)
class Curve:
    """A chart of the page.

    Attributes:
        title: What is drawn.
        x_label: What runs along x, for example ``"step"``.
        series: Points x, y by name; those that are not finite are left out.
    """

    title: str
    x_label: str
    series: dict[str, list[tuple[float, float]]]


def write_page(
    path: Path, title: str, report: DataReport | None, data: CocoData | None, curves: Sequence[Curve] = ()
) -> None:
    """Writes the page; it appears under its name when it is whole.

    Args:
        path: The HTML file.
        title: Its heading.
        report: What to show; None for a page of curves only.
        data: The data set that the report is about.
        curves: Further charts, for example losses over steps.

    Raises:
        UserError: The file cannot be written, or a picture cannot be read any more.
    """
    body = [f"<h1>{escape(title)}</h1>"]
    if report is not None:
        body += [_headline(report), "<h2>Average precision</h2>", _precision_table(report)]
    body += _charts([line_chart(curve.title, curve.x_label, curve.series) for curve in curves])
    if report is not None:
        body += ["<h2>Precision over recall, masks at IoU 0.50</h2>", *_charts(_precision_recall(report))]
        body += ["<h2>What was taken for what</h2>", _confusion_table(report)]
        body += ["<h2>Pixels</h2>", _semantic_table(report)]
        if data is not None:
            body += _pictures(report, data)
    _write_whole(path, _PAGE.format(title=escape(title), style=_STYLE, body="\n".join(body)))


def _headline(report: DataReport) -> str:
    overall = report.mask["all"]
    facts = {
        "mask AP": _number(overall.ap),
        "mask AP50": _number(overall.ap50),
        "box AP": _number(report.box["all"].ap),
        "mean IoU": _number(report.semantic.mean_iou),
        "pictures": str(report.images),
        "ms a picture": f"{report.median_ms:.0f}",
    }
    cells = "".join(f"<div><b>{value}</b>{name}</div>" for name, value in facts.items())
    note = f"<p>The model does not know {escape(', '.join(report.unknown))}.</p>" if report.unknown else ""
    return f'<div class="facts">{cells}</div>{note}'


def _precision_table(report: DataReport) -> str:
    names = ("AP", "AP50", "AP75", "small", "medium", "large")
    head = ["class", *(f"mask {name}" for name in names), *(f"box {name}" for name in names[:3])]
    rows = []
    for name, mask in report.mask.items():
        rows.append([name, *map(_number, _values(mask)), *map(_number, _values(report.box[name])[:3])])
    return _table(head, rows)


def _precision_recall(report: DataReport) -> Iterable[str]:
    """A chart for every few classes, so that lines can be told apart."""
    names = list(report.curves)
    recall = np.linspace(0, 1, 101)
    for begin in range(0, len(names), len(COLOURS)):
        some = names[begin : begin + len(COLOURS)]
        series = {}
        for name in some:
            curve = report.curves[name]
            reached = curve > 0  # COCO fills with 0 behind the last recall that was reached
            series[name] = list(zip(recall[reached].tolist(), curve[reached].tolist(), strict=True))
        yield line_chart("", "recall", series, (0, 1), (0, 1))


def _confusion_table(report: DataReport) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in (*report.class_names, "missed"))
    rows = []
    for name, counts in zip((*report.class_names, "nothing there"), report.confusion.tolist(), strict=True):
        whole = sum(counts) or 1
        cells = "".join(f'<td style="--share:{100 * count / whole:.0f}%">{count}</td>' for count in counts)
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return (
        f"<p>Objects. Rows are the truth, columns what the model said with a score of {report.score_threshold:g} or"
        " more, matched at mask IoU 0.50.</p>"
        f'<div class="wide"><table class="confusion"><tr><th>truth \\ model</th>{head}</tr>{"".join(rows)}</table>'
        "</div>"
    )


def _semantic_table(report: DataReport) -> str:
    figures = report.semantic
    rows = [[name, _number(one.iou), _number(one.accuracy)] for name, one in figures.classes.items()]
    rows.append(["mean", _number(figures.mean_iou), _number(figures.mean_accuracy)])
    note = f"<p>{100 * figures.pixel_accuracy:.1f} % of the pixels have the right class.</p>"
    return _table(["class", "IoU", "accuracy"], rows) + note


def _pictures(report: DataReport, data: CocoData) -> list[str]:
    found: dict[int, list[Entry]] = defaultdict(list)
    for entry in report.results:
        if entry["score"] >= report.score_threshold:
            found[entry["image_id"]].append(entry)
    spaced = np.linspace(0, report.images - 1, min(SAMPLES, report.images)).round().astype(int).tolist()
    parts = ["<h2>Samples</h2><p>Truth on the left, prediction on the right; grey regions do not count.</p>"]
    parts.append(_legend(report.class_names))
    parts += [_pair(data, index, found, "") for index in spaced]
    if report.worst:
        parts.append("<h2>Most mistakes</h2>")
    for worst in report.worst:
        mistakes = worst.mistakes
        note = f"{mistakes.missed} missed, {mistakes.false} false, {mistakes.confused} confused"
        parts.append(_pair(data, worst.index, found, note))
    return parts


def _pair(data: CocoData, index: int, found: dict[int, list[Entry]], note: str) -> str:
    image, entry = data.image(index), data.images[index]
    labels = {category: label for label, category in enumerate(data.category_ids)}
    sides = picture_truth(data, index, *image.shape[:2]), found[entry["id"]]
    names = ("truth", "prediction")
    drawn = [draw(image, side, labels, data.class_names) for side in sides]
    pictures = "".join(f'<img src="{uri}" alt="{name}">' for uri, name in zip(drawn, names, strict=True))
    text = escape(str(entry["file_name"])) + (f": {note}" if note else "")
    return f'<figure class="pair"><div>{pictures}</div><figcaption>{text}</figcaption></figure>'


def _legend(class_names: Sequence[str]) -> str:
    colours = ("rgb({}, {}, {})".format(*colour_of(0, label)) for label in range(len(class_names)))
    return swatches(dict(zip(class_names, colours, strict=True)))


def _charts(charts: Iterable[str]) -> list[str]:
    joined = "".join(charts)
    return [f'<div class="charts">{joined}</div>'] if joined else []


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    for first, *others in rows:
        lines.append(f"<th>{escape(first)}</th>" + "".join(f"<td>{escape(cell)}</td>" for cell in others))
    return '<div class="wide"><table>' + "".join(f"<tr>{line}</tr>" for line in lines) + "</table></div>"


def _values(precision: Precision) -> list[float]:
    return [getattr(precision, name) for name in precision.__slots__]


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise cannot_write(path, error) from None


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --accent: 0, 114, 178; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1060px; margin: 0 auto; padding: 16px; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
.facts { display: flex; flex-wrap: wrap; gap: 12px 28px; }
.facts div { display: flex; flex-direction: column; font-size: .85em; } .facts b { font-size: 1.9em; line-height: 1.1; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9em; }
th, td { padding: 3px 10px; border-bottom: 1px solid var(--line); text-align: right; font-weight: normal; }
th:first-child { text-align: left; } tr:first-child th { font-weight: 600; }
.confusion td { background: color-mix(in srgb, rgb(var(--accent)) var(--share), transparent); }
.charts { display: flex; flex-wrap: wrap; gap: 20px; margin-top: 20px; }
.chart { flex: 1 1 380px; min-width: 0; max-width: 520px; }
figure { margin: 0; } figcaption { font-size: .9em; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: currentColor; opacity: .75; }
.grid { stroke: var(--line); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: .85em; }
.legend i { display: inline-block; width: 12px; height: 3px; margin-right: 5px; vertical-align: middle; }
.pair { margin: 14px 0; } .pair div { display: flex; flex-wrap: wrap; gap: 6px; }
.pair img { flex: 1 1 300px; max-width: 480px; min-width: 0; height: auto; align-self: flex-start; }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head><body>
{body}
</body></html>
"""
