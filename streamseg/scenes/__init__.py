"""Renders street scenes with exact truth: the sample clip, tests, and pictures to train on."""

from __future__ import annotations

from streamseg.scenes.export import write_stills
from streamseg.scenes.stills import render_still
from streamseg.scenes.truth import SceneFrame, TrueObject

__all__ = ["SceneFrame", "TrueObject", "render_still", "write_stills"]
