from __future__ import annotations

from pathlib import Path

from streamseg.settings import settings_table

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_shows_the_settings_as_they_are():
    text = README.read_text(encoding="utf-8")
    begin, end = "<!-- settings -->", "<!-- /settings -->"
    assert text.count(begin) == text.count(end) == 1
    shown = text.split(begin)[1].split(end)[0].strip()
    assert shown == settings_table(), "replace the table with what streamseg.settings.settings_table() returns"
