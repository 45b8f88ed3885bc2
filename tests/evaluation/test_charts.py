"""Charts: where lines run, and which ticks stand beside them."""

import re

import pytest

from streamseg.evaluation.charts import line_chart, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 2000, [0, 500, 1000, 1500, 2000]), (-3, 3, [-3, -2, -1, 0, 1, 2, 3])],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("span", [3e-7, 0.013, 1, 7.7, 123456])
def test_there_are_neither_few_nor_many_ticks(span):
    values = ticks(0.1 * span, 1.1 * span)
    assert 3 <= len(values) <= 9
    assert all(0.1 * span * 0.999 <= value <= 1.1 * span * 1.001 for value in values)


def points(chart: str) -> list[list[tuple[float, float]]]:
    lines = re.findall(r'<polyline points="([^"]*)"', chart)
    return [[tuple(map(float, pair.split(","))) for pair in line.split()] for line in lines]


def test_lines_fill_the_chart_and_share_its_axes():
    ((up, low),) = [points(line_chart("t", "x", {"a": [(0, 0.0), (10, 4.0)], "b": [(0, 0.0), (5, 2.0)]}))]
    assert up[0] == low[0] and up[0][0] < up[1][0] and up[0][1] > up[1][1]  # y runs downwards
    assert low[1] == pytest.approx([(first + last) / 2 for first, last in zip(*up, strict=True)], abs=0.1)


def test_what_is_not_finite_is_left_out_and_much_is_thinned():
    many = [(float(x), x % 7.0) for x in range(5000)]
    (line,) = points(line_chart("t", "x", {"a": [(0, float("nan")), *many, (2, float("inf"))]}))
    assert 200 < len(line) <= 400
    assert line[-1][0] == points(line_chart("t", "x", {"a": [(0, 0), (4999, 1)]}))[0][-1][0]


@pytest.mark.parametrize(
    "series", [{}, {"a": []}, {"a": [(3, 5.0)]}, {"a": [(0, 0.0), (1, 0.0)]}, {"a": [(7, -1), (7, -2)]}]
)
def test_hardly_anything_to_draw(series):
    chart = line_chart("t", "x", series)
    assert chart.count("<svg") == 1 and "nan" not in chart and "inf" not in chart
