"""Each stage of the pipeline alone, with the very objects that the pipeline wires."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from streamseg.benchmark.layers import LayerClock
from streamseg.benchmark.matrix import operations, peak_rate
from streamseg.benchmark.timing import Stopwatch, Timing
from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.models import load_model
from streamseg.models.model import Model
from streamseg.pipeline.wiring import Plan
from streamseg.planes import Picture
from streamseg.result import Found, Result
from streamseg.segmenter import Segmenter
from streamseg.settings import Settings
from streamseg.sinks import Sink
from streamseg.sources import Source
from streamseg.tracking import Tracker

KEPT_BYTES = 300_000_000
"""How much of the decoded clip is kept, and as much again painted."""

Batch = list[Picture]


class Stages:
    """Runs stage after stage over the same frames.

    Args:
        segmenter: Warm.
        settings: Name the source, how many frames of it, and the outputs.
    """

    def __init__(self, segmenter: Segmenter, settings: Settings) -> None:
        self._segmenter = segmenter
        self._settings = settings
        self._finish = torch.cuda.synchronize if segmenter.device.type == "cuda" else lambda: None

    def measure(self) -> dict[str, Any]:
        """Time every stage.

        Returns:
            ``timings``: by the stage's name a :class:`Timing`, or None where there is no such stage. ``network`` (what
            the layers take, with resizing; on a GPU the recorded pass) and ``postprocessing`` (the rest of the
            model's work) are what one worker does; ``segment`` is both in as many workers as the pipeline has.
            ``operations`` are those of the network's layers for one frame, and ``peak_rate`` how many a second a large
            matrix product reaches here.
        """
        segmenter = self._segmenter
        with Plan(self._settings) as plan:
            parts, (source,) = plan.parts(segmenter), plan.sources
            frames, decode = self._decode(source)
            pictures = [frame.pixels for frame in frames]
            batches = [pictures[i : i + parts.batch_size] for i in range(0, len(pictures), parts.batch_size)]
            found, network, rest = self._one_worker(batches)
            followed, tracking = self._track(parts.trackers[0], frames, found)
            results = [Result(frame, one, parts.paint) for frame, one in zip(frames, followed, strict=True)]
            timings = {
                "decode": decode,
                "upload": self._upload(batches),
                "network": network,
                "postprocessing": rest,
                "segment": self._all_workers(batches),
                "tracking": tracking,
                "overlay": self._paint(results),
            }
            for outlet in parts.outlets:
                name = "encode" if outlet.sink.wants_picture else "records"
                timings[name] = self._write(outlet.sink, source, results)
        return {
            "timings": timings,
            "operations": operations(self._in_float32(), frames[0].image, segmenter.options),
            "peak_rate": peak_rate(segmenter.device, segmenter.number_format),
        }

    def _in_float32(self) -> Model:
        """The model as it was loaded, whose operations torch can count."""
        settings = self._settings
        model = load_model(settings.model, settings.weights, settings.class_names or None, str(self._segmenter.device))
        if settings.input_size is not None:
            short, long = model.input_size
            model.network.resize_input(settings.input_size, round(long * settings.input_size / short))
        return model

    def _decode(self, source: Source) -> tuple[list[Frame], Timing]:
        """The first frames, as many as memory should hold, and what all of them took."""
        kept: list[Frame] = []
        watch = Stopwatch()
        for frame in watch.waiting(itertools.islice(source, self._settings.max_frames)):
            if not kept or len(kept) * frame.height * frame.width * 3 < KEPT_BYTES:
                kept.append(frame)
        return kept, watch.stop()

    def _upload(self, batches: Sequence[Batch]) -> Timing | None:
        """To the device through pinned memory; None where there is nothing to upload."""
        runner = self._segmenter.runner
        if runner is None:
            return None
        watch = Stopwatch(self._finish)
        for batch in batches:
            with watch.lap(len(batch)):
                runner.uploads.send(batch)
        return watch.stop()

    def _one_worker(self, batches: Sequence[Batch]) -> tuple[list[Found], Timing, Timing | None]:
        """What is in the frames, and what the network and the rest took in one of the pipeline's worker threads."""
        segmenter = self._segmenter
        found: list[Found] = []
        network, rest = [], []

        def work() -> tuple[Timing, LayerClock]:
            segmenter.work(batches[0])
            watch = Stopwatch(self._finish)
            with LayerClock(self._finish) as layers:
                for batch in batches:
                    before = layers.seconds
                    with watch.lap(len(batch)):
                        found.extend(segmenter.work(batch))
                    network.extend([(layers.seconds - before) / len(batch)] * len(batch))
            return watch.stop(), layers

        with ThreadPoolExecutor(1) as pool:
            whole, layers = pool.submit(work).result()
        if not layers.seconds:
            return found, whole, None
        rest = [both - one for both, one in zip(whole.laps, network, strict=True)]
        return (
            found,
            Timing(whole.frames, layers.seconds, layers.cpu_seconds, tuple(network)),
            Timing(whole.frames, whole.seconds - layers.seconds, whole.cpu_seconds - layers.cpu_seconds, tuple(rest)),
        )

    def _all_workers(self, batches: Sequence[Batch]) -> Timing:
        """The model in as many threads as the pipeline has; a lap is the time from one result to the next."""
        segmenter = self._segmenter
        with ThreadPoolExecutor(segmenter.workers) as pool:
            list(pool.map(segmenter.work, [batches[0]] * segmenter.workers))
            watch = Stopwatch(self._finish)
            for _ in watch.waiting(pool.map(segmenter.work, batches), frames=len):
                pass
            return watch.stop()

    def _track(
        self, tracker: Tracker, frames: Sequence[Frame], found: Sequence[Found]
    ) -> tuple[list[Found], Timing | None]:
        """The objects with identities, and what that took; regions as they are."""
        followed: list[Found] = []
        watch = Stopwatch()
        for frame, one in zip(frames, found, strict=True):
            if not isinstance(one, Instances):
                return list(found), None
            with watch.lap():
                followed.append(tracker.update(one, frame.seconds, (frame.height, frame.width), frame.pixels))
        return followed, watch.stop()

    def _write(self, sink: Sink, source: Source, results: Sequence[Result]) -> Timing:
        """From opening the file to its being whole."""
        watch = Stopwatch()
        sink.open(source.info)
        for result in results:
            with watch.lap():
                sink.write(result)
        sink.close()
        return watch.stop()

    def _paint(self, results: Sequence[Result]) -> Timing:
        watch = Stopwatch(self._finish)
        for result in results:
            with watch.lap():
                result.painted()
        return watch.stop()
