"""The main job with detections in the model's place: the same tracker, painter and outputs."""

from __future__ import annotations

from dataclasses import replace

from streamseg.detections.footage import Footage
from streamseg.detections.sequences import Sequence
from streamseg.errors import UserError
from streamseg.overlay.painter import Painter
from streamseg.pipeline import Pipeline
from streamseg.pipeline.outputs import Outputs, records_format
from streamseg.pipeline.wiring import delay_of, look_of, tracker_of
from streamseg.settings import Settings
from streamseg.sources import open_source


class Job:
    """One sequence to be followed; its video is open and its outputs are checked, but nothing is written yet.

    Args:
        sequence: The detections.
        settings: What to write and how to follow; sources and models in them do not matter.
        video: Name of the video that the detections are of; None for none.
        own_scores: Leave it to the tracker which scores are enough, rather than to ``score_threshold``.

    Raises:
        UserError: The video cannot be opened or has another size, or an output cannot be written.
    """

    def __init__(self, sequence: Sequence, settings: Settings, video: str | None, own_scores: bool) -> None:
        if video is None:
            # There is no picture to find a camera's motion or colours in.
            settings = replace(settings, track_camera=False, track_appearance=False)
        if settings.records is not None and records_format(settings) == "mots" and not sequence.detections.has_masks:
            raise UserError(f"{sequence.detections.path}: has no masks for MOTS rows; write .txt or .jsonl instead")
        self.name = sequence.name
        self._detections = sequence.detections
        self._settings = settings
        self._own_scores = own_scores
        opened = None if video is None else open_source(video, codec=settings.codec)
        try:
            if opened is not None and opened.info.live:
                raise UserError(f"--video {video}: is live, so no detections can be of it; give the recorded video")
            self._footage = Footage(sequence, opened)
            infos = [self._footage.info]
            self._outputs = Outputs(settings, infos, show=False, read=[sequence.detections.path])
            self._outputs.check()
        except BaseException:
            if opened is not None:
                opened.close()
            raise

    def pipeline(self) -> Pipeline:
        """The pipeline; it closes the video."""
        return Pipeline(
            [self._footage],
            self._footage.find,
            paint=Painter(**look_of(self._settings)).paint,
            trackers=[tracker_of(self._settings, self._own_scores)],
            outlets=self._outputs.make(),
            delay=delay_of(self._settings),
            trails=self._settings.trails,
            remarks=lambda: self._detections.notes,
        )
