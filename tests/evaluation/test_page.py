"""The page: everything inside one file, and nothing of the user's in it as code."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.evaluation.page import Curve, write_page
from streamseg.evaluation.report import evaluate_data

A, B = (10, 10, 40, 30), (50, 20, 90, 60)
VOID = {"meta", "img", "line", "circle", "polyline"}


class Page(HTMLParser):
    """Elements, texts and addresses of a page; complains about elements that do not close."""

    def __init__(self, path):
        super().__init__()
        self.open, self.tags, self.texts, self.sources = [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data.strip())


def colours(uri):
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_figures_curves_tables_and_pictures_are_on_it(scene, model, tmp_path):
    scene.picture([("a", A), ("b", B)])
    scene.picture([("a", A)])
    data = scene.data()
    report = evaluate_data(model([[("a", A, 0.9), ("b", B, 0.8)], [("b", A, 0.7)]]), data)
    curve = Curve("losses", "step", {"mask": [(0, 2.0), (10, 1.0), (20, float("nan"))]})
    write_page(tmp_path / "page.html", "my model", report, data, [curve])
    assert [file.name for file in tmp_path.glob("*.html*")] == ["page.html"]
    page = Page(tmp_path / "page.html")
    for text in ("my model", "losses", "mask", "1.png", "2.png: 0 missed, 0 false, 1 confused", "background"):
        assert text in page.texts
    assert page.tags.count("svg") == 2
    assert len(page.sources) == 2 * 2 + 2  # both pictures as samples, the second one as a bad one, too
    truth, prediction = (colours(uri) for uri in page.sources[-2:])
    assert truth.shape == (80, 100, 3)
    inside, outside = (slice(14, 26), slice(14, 36)), (slice(65, 75), slice(5, 90))
    assert np.ptp(truth[outside].reshape(-1, 3).mean(0)) < 5
    assert np.abs(truth[inside].astype(int) - prediction[inside]).mean() > 20  # another class, another colour


def test_names_of_the_user_are_text_not_code(scene, model, tmp_path):
    evil = '<script>alert("1")</script>'
    scene.content["categories"][0]["name"] = evil
    scene.picture([("a", A)])
    data = scene.data()
    report = evaluate_data(model([[(evil, A, 0.9)]], names=(evil,)), data)
    write_page(tmp_path / "page.html", evil, report, data, [Curve(evil, evil, {evil: [(0, 1), (1, 2)]})])
    page = Page(tmp_path / "page.html")
    assert "script" not in page.tags
    assert evil in page.texts
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert not re.search(r"https?://", (tmp_path / "page.html").read_text())


def test_a_page_of_curves_alone(tmp_path):
    write_page(tmp_path / "page.html", "run", None, None, [Curve("loss", "step", {"a": []}), Curve("b", "x", {})])
    assert Page(tmp_path / "page.html").tags.count("svg") == 2


def test_a_page_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"page\.html: cannot be written \(No such file"):
        write_page(tmp_path / "nowhere" / "page.html", "run", None, None)
