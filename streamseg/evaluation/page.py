"""One HTML file that shows how good a model is: figures, curves and pictures, with nothing beside it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from streamseg.evaluation.charts import COLOURS, line_chart, swatches
from streamseg.evaluation.coco import Precision
from streamseg.evaluation.files import write_whole
from streamseg.evaluation.pictures import draw
from streamseg.evaluation.report import DataReport
from streamseg.evaluation.truth import Entry, Id, picture_truth
from streamseg.overlay.palette import colour_of
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
        body.append(_headline(report))
    if report is not None and report.mask:
        body += ["<h2>Average precision</h2>", _precision_table(report)]
    body += _charts([line_chart(curve.title, curve.x_label, curve.series) for curve in curves])
    if report is not None and report.curves:
        body += ["<h2>Precision over recall, masks at IoU 0.50</h2>", *_charts(_precision_recall(report))]
    if report is not None:
        body += ["<h2>What was taken for what</h2>", _confusion_table(report)]
        body += ["<h2>Pixels</h2>", _semantic_table(report)]
    if report is not None and data is not None:
        body += _pictures(report, data)
    write_whole(path, _PAGE.format(title=escape(title), style=_STYLE, body="\n".join(body)))


def _headline(report: DataReport) -> str:
    facts = {}
    if report.mask:
        mask = report.mask["all"]
        facts = {"mask AP": mask.ap, "mask AP50": mask.ap50, "box AP": report.box["all"].ap}
    shown = {name: _number(value) for name, value in {**facts, "mean IoU": report.semantic.mean_iou}.items()}
    shown |= {"pictures": str(report.images), "ms a picture": f"{report.median_ms:.0f}"}
    cells = "".join(f"<div><b>{value}</b>{name}</div>" for name, value in shown.items())
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
    table = report.confusion
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = []
    for name, counts in zip(table.rows, table.counts.tolist(), strict=True):
        whole = sum(counts) or 1
        cells = "".join(f'<td style="--share:{100 * count / whole:.0f}%">{count}</td>' for count in counts)
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    note = f"Numbers of {table.things}: rows are the truth, columns what the model said."
    if table.things == "objects":
        note += f" Scores from {report.score_threshold:g}, matched at mask IoU 0.50."
    inside = f"<tr><th>truth \\ model</th>{head}</tr>{''.join(rows)}"
    return f'<p>{note}</p><div class="wide"><table class="confusion">{inside}</table></div>'


def _semantic_table(report: DataReport) -> str:
    figures = report.semantic
    rows = [[name, _number(one.iou), _number(one.accuracy)] for name, one in figures.classes.items()]
    rows.append(["mean", _number(figures.mean_iou), _number(figures.mean_accuracy)])
    note = f"<p>{100 * figures.pixel_accuracy:.1f} % of the pixels have the right class.</p>"
    return _table(["class", "IoU", "accuracy"], rows) + note


def _pictures(report: DataReport, data: CocoData) -> list[str]:
    found: dict[Id, list[Entry]] = defaultdict(list)
    for entry in report.results:
        if entry.get("score", 1.0) >= report.score_threshold:
            found[entry["image_id"]].append(entry)
    spaced = np.linspace(0, report.images - 1, min(SAMPLES, report.images)).round().astype(int).tolist()
    parts = ["<h2>Samples</h2><p>Truth first, then the prediction; grey regions do not count.</p>"]
    parts.append(_legend(report.class_names))
    regions = not report.mask
    parts += [_pair(data, index, found, "", regions) for index in spaced]
    if report.worst:
        parts.append("<h2>Most mistakes</h2>")
    parts += [_pair(data, worst.index, found, worst.note, regions) for worst in report.worst]
    return parts


def _pair(data: CocoData, index: int, found: dict[Id, list[Entry]], note: str, regions: bool) -> str:
    image, entry = data.image(index), data.images[index]
    sides = {"truth": picture_truth(data, index, *image.shape[:2]), "prediction": found[entry["id"]]}
    pictures = ""
    for name, side in sides.items():
        uri = draw(image, side, data.category_ids, data.class_names, regions)
        pictures += f'<img src="{uri}" alt="{name}">'
    text = escape(entry["file_name"]) + (f": {escape(note)}" if note else "")
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
