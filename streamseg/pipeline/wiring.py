"""From settings to a pipeline: everything is checked and opened before the model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamseg.pipeline.core import Outlet, Pipeline
from streamseg.pipeline.marks import Marker
from streamseg.pipeline.naming import told_apart
from streamseg.pipeline.outputs import Outputs
from streamseg.pipeline.resuming import marking, purpose, resume
from streamseg.result import Paint
from streamseg.settings import Settings
from streamseg.sources import Source, expand, open_source
from streamseg.tracking import Tracker, make_tracker

if TYPE_CHECKING:
    from streamseg.overlay.painter import Painter
    from streamseg.segmenter import Segmenter

LOW_SHARE = 0.5
"""Least score, as a share of the score threshold, at which a detection still holds on to a followed object."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a run has beside its sources and its model; see :class:`streamseg.pipeline.core.Pipeline`."""

    paint: Paint
    trackers: Sequence[Tracker]
    outlets: Sequence[Outlet]
    batch_size: int


class Plan:
    """A run whose sources are open and whose outputs are checked; only the model is missing.

    To be used in ``with``: sources that no pipeline has taken over are closed at its end.

    Args:
        settings: What to do; ``settings.source`` must not be empty.
        window_by_default: Show a window where ``settings.show`` is None and nothing is written.
        leave_parts: Leave files unfinished where the run is stopped, to be gone on with.

    Raises:
        UserError: A source cannot be opened, or an output cannot be written.
    """

    def __init__(self, settings: Settings, window_by_default: bool = False, leave_parts: bool = False) -> None:
        self.settings = settings
        self.sources: list[Source] = []
        self._taken = False
        written = any(path is not None for path in (settings.output, settings.records, settings.tracks))
        self._show = bool(settings.show) if settings.show is not None else window_by_default and not written
        try:
            for spec in expand(settings.source):
                self.sources.append(open_source(spec, codec=settings.codec, deinterlace=settings.deinterlace))
            self.sources = told_apart(self.sources)
            infos = [source.info for source in self.sources]
            self._outputs = Outputs(settings, infos, self._show, leave_parts=leave_parts)
            self._outputs.check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Plan:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the sources where no pipeline has taken them over."""
        if not self._taken:
            for source in self.sources:
                source.close()

    def import_everything(self) -> None:
        """Import what ``load`` and ``pipeline`` need; takes seconds, and leaves nothing behind when interrupted."""
        from streamseg.models.lean import import_torchvision

        import_torchvision()
        import streamseg.overlay.painter
        import streamseg.segmenter
        import streamseg.tracking.two_stage  # noqa: F401

    def load(self) -> Segmenter:
        """The model on its device.

        Raises:
            UserError: The model, its weights, a class, the device or the precision is not to be had.
        """
        self.import_everything()
        from streamseg.models import load_model
        from streamseg.segmenter import Segmenter, choose_device

        settings = self.settings
        device = str(choose_device(settings.device))
        model = load_model(settings.model, settings.weights, settings.class_names or None, device)
        followed = settings.tracker != "none"
        return Segmenter(
            model,
            device=device,
            precision=settings.precision,
            score_threshold=settings.score_threshold * (LOW_SHARE if followed else 1),
            max_detections=settings.max_detections,
            classes=settings.classes or None,
            input_size=settings.input_size,
        )

    def parts(self, segmenter: Segmenter) -> Parts:
        """What comes after the model, made anew."""
        settings = self.settings
        return Parts(
            paint=_painter(settings, segmenter).paint,
            trackers=[tracker_of(settings, neutral_score=segmenter.model.neutral_score) for _ in self.sources],
            outlets=self._outputs.make(),
            batch_size=settings.batch_size or segmenter.batch_size,
        )

    def pipeline(self, segmenter: Segmenter) -> Pipeline:
        """The pipeline; it takes the sources over.

        Raises:
            UserError: There is an earlier run to go on with, but it did something else.
        """
        parts = self.parts(segmenter)
        settings, model = self.settings, segmenter.model
        infos = [source.info for source in self.sources]
        runs = [purpose(settings, info, model.name, model.class_names) for info in infos]
        starts = None
        if settings.resume:
            starts = resume(settings, self.sources, parts.outlets, parts.trackers, runs)
        keepers = [None if info.live else marking(parts.outlets, stream) for stream, info in enumerate(infos)]
        self._taken = True
        return Pipeline(
            self.sources,
            segmenter.work,
            paint=parts.paint,
            trackers=parts.trackers,
            outlets=parts.outlets,
            batch_size=parts.batch_size,
            workers=segmenter.workers,
            stride=self.settings.stride,
            max_frames=self.settings.max_frames,
            delay=delay_of(self.settings),
            trails=self.settings.trails,
            starts=starts,
            markers=[
                Marker(keep.mark, run) if keep is not None else None for keep, run in zip(keepers, runs, strict=True)
            ],
            remarks=lambda: segmenter.notes,
        )


def tracker_of(settings: Settings, own_scores: bool = False, neutral_score: float | None = None) -> Tracker:
    """A new tracker as the settings ask for it.

    Args:
        settings: Their group ``Tracking``, and ``score_threshold``.
        own_scores: Leave it to the tracker which scores are enough.
        neutral_score: What the model says of its own, for settings that say nothing; None to leave it to the tracker.
    """
    if settings.track_neutral_score is not None:
        neutral_score = settings.track_neutral_score
    return make_tracker(
        settings.tracker,
        lost_seconds=settings.track_lost_seconds,
        high_score=None if own_scores else settings.score_threshold,
        low_score=None if own_scores else settings.score_threshold * LOW_SHARE,
        neutral_score=neutral_score,
        masks=settings.track_masks,
        camera=settings.track_camera,
        appearance=settings.track_appearance,
    )


def delay_of(settings: Settings) -> float:
    """How long results of recorded sources wait to be bettered, seconds."""
    return 0.0 if settings.tracker == "none" else settings.track_delay


def look_of(settings: Settings) -> dict[str, Any]:
    """How a painter is made as the settings ask for it."""
    return {
        "mask_opacity": settings.mask_opacity,
        "show_outlines": settings.outlines,
        "show_boxes": settings.boxes,
        "show_labels": settings.labels,
        "show_ids": settings.labels,
        "show_scores": settings.labels,
    }


def _painter(settings: Settings, segmenter: Segmenter) -> Painter:
    """Paints where the model runs, if there are kernels for that device."""
    from streamseg.models.gpu.kernels import kernel_trouble
    from streamseg.overlay.painter import Painter

    look = look_of(settings)
    if segmenter.runner is None or kernel_trouble(segmenter.device) is not None:
        return Painter(**look)
    from streamseg.overlay.device import DevicePainter

    segmenter.runner.lends = True
    return DevicePainter(**look, device=segmenter.device, copies=segmenter.runner.uploads.take)
