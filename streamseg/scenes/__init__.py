"""Renders street scenes with exact truth: the sample clip, crossing crowds, tests, and pictures to train on."""

from __future__ import annotations

from streamseg.scenes.clip import render_clip
from streamseg.scenes.crossings import render_crossings
from streamseg.scenes.export import write_stills
from streamseg.scenes.sample import write_crossings, write_sample
from streamseg.scenes.stills import render_still
from streamseg.scenes.truth import SceneFrame, TrueObject

__all__ = [
    "SceneFrame",
    "TrueObject",
    "render_clip",
    "render_crossings",
    "render_still",
    "write_crossings",
    "write_sample",
    "write_stills",
]
