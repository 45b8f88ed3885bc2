"""Tables on terminals that are too narrow for them."""

from __future__ import annotations

import re

import pytest

from streamseg.cli.tables import show_table


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_numbers_are_never_cut(monkeypatch, capsys, columns):
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [("a long name", ["0.123", "1234567", "-0.5"]), ("b", ["0.456", "89", "7654321"])]
    show_table("[Title]", ["HOTA", "fragmentations", "missed objects"], rows)
    out = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out)
    assert out.startswith("[Title]\n") and "…" not in out
    for number in ("0.123", "1234567", "-0.5", "0.456", "89", "7654321"):
        assert re.search(rf"(^|\s){number}(\s|$)", out, re.MULTILINE)
    if columns == 200:
        assert "│ a long name │ 0.123 │" in out
