"""How well identities hold where objects hide one another: with masks in the association, and with boxes alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streamseg.benchmark.perturbed import perturbed
from streamseg.evaluation.clip import Clip
from streamseg.evaluation.scores import TrackScores, combined
from streamseg.evaluation.tracking import By, evaluate_tracks
from streamseg.instances import Instances
from streamseg.masks import encode
from streamseg.pipeline.wiring import delay_of, tracker_of
from streamseg.scenes import SceneFrame, render_crossings
from streamseg.segmenter import Segmenter
from streamseg.settings import Settings
from streamseg.tracking.hindsight import Hindsight

FIRST_SEED = 100
"""Of the scenes that are measured; the trackers were chosen on seeds below."""
TRUTH = "truth, perturbed"
_BATCH = 2  # pictures that the model is given at once


@dataclass(frozen=True, slots=True)
class Identities:
    """How well identities held.

    Attributes:
        detections: ``TRUTH``, or the name of the model that found them.
        association: ``"boxes"`` alone, or ``"masks"`` too.
        by: Whether the masks or the boxes of truth and result were compared.
        scores: Of all classes.
    """

    detections: str
    association: str
    by: By
    scores: TrackScores

    def figures(self) -> dict[str, Any]:
        """The same as plain values for programs."""
        counts = {name: getattr(self.scores, name) for name in ("truth", "switches", "idf1", "hota")}
        return {"detections": self.detections, "association": self.association, "by": self.by, **counts}


def measure_identities(seed: int, segmenter: Segmenter, settings: Settings) -> list[Identities]:
    """Follow the objects of one crossing scene, made of its truth and found by the model, by masks and by boxes.

    Args:
        seed: Which scene, see :func:`streamseg.scenes.render_crossings`; one takes most of a minute.
        segmenter: The model; one of regions finds no objects and is left out.
        settings: Of the tracker.
    """
    frames = list(render_crossings(seed))
    found = {TRUTH: list(perturbed(frames, seed))}
    if segmenter.model.kind == "instances":
        found[segmenter.model.name] = list(_found(frames, segmenter))
    return [row for name, each in found.items() for row in compare(frames, name, each, settings)]


def compare(
    frames: Sequence[SceneFrame], name: str, detections: Sequence[Instances], settings: Settings
) -> Iterator[Identities]:
    """Follow the same detections by masks and by boxes, and compare both with the truth, by masks and by boxes."""
    truth = _true_clip(frames)
    for association in ("boxes", "masks"):
        result = _followed(frames, detections, replace(settings, track_masks=association == "masks"))
        bys: tuple[By, ...] = ("mask", "box")
        for by in bys:
            yield Identities(name, association, by, combined(evaluate_tracks(truth, result, by).values()))


def together(rows: Sequence[Identities]) -> list[Identities]:
    """The rows of several scenes as those of one."""
    kinds: dict[tuple[str, str, By], list[TrackScores]] = {}
    for row in rows:
        kinds.setdefault((row.detections, row.association, row.by), []).append(row.scores)
    return [Identities(*kind, combined(scores)) for kind, scores in kinds.items()]


def _true_clip(frames: Sequence[SceneFrame]) -> Clip:
    clip = Clip(Path("truth"), {number: {} for number in range(len(frames))}, None)
    for number, frame in enumerate(frames):
        for one in frame.objects:
            mask = encode(one.mask, *frame.image.shape[:2])
            clip.group(number, one.label).add(one.id, list(one.box), mask=mask)
    return clip


def _followed(frames: Sequence[SceneFrame], detections: Sequence[Instances], settings: Settings) -> Clip:
    """What the pipeline's tracker makes of the detections."""
    hindsight: Hindsight[int] = Hindsight(tracker_of(settings), delay_of(settings))
    results = []
    for number, (frame, found) in enumerate(zip(frames, detections, strict=True)):
        results += hindsight.update(number, found, frame.seconds, frame.image.shape[:2], frame.image)
    clip = Clip(Path("result"), {number: {} for number in range(len(frames))}, None)
    for number, shown in [*results, *hindsight.finish()]:
        shown = shown[shown.ids > 0]
        masks = shown.to_rle(*frames[number].image.shape[:2])
        for identity, label, box, mask in zip(
            shown.ids.tolist(), shown.names, shown.boxes.tolist(), masks, strict=True
        ):
            clip.group(number, label).add(identity, box, mask=mask)
    return clip


def _found(frames: Sequence[SceneFrame], segmenter: Segmenter) -> Iterator[Instances]:
    for first in range(0, len(frames), _BATCH):
        for found in segmenter([frame.image for frame in frames[first : first + _BATCH]]):
            assert isinstance(found, Instances)  # the model finds objects
            yield found
