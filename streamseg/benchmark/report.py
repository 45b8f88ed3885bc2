"""What a benchmark found, and what the figures come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamseg.benchmark.timing import Timing, together

if TYPE_CHECKING:
    from streamseg.benchmark.identities import Identities

PARTS = ("pipeline", "loop", "stages", "overlay", "following")
SLOW_PARTS = ("identities",)
"""Minutes long, so measured only on request."""
PIPELINE_STAGES = ("decode", "segment", "tracking", "overlay", "encode", "records")
"""What runs side by side in the pipeline, each a thread or more."""


@dataclass(slots=True)
class Report:
    """What came out.

    Attributes:
        about: The machine and what was chosen, see :meth:`streamseg.benchmark.ours.Ours.about`, with the clip.
        rounds: (``"pipeline"`` or ``"loop"``, timing) in the order in which they ran.
        notes: What the user should know of the runs, such as that a GPU's memory was too small for a batch.
        memory: Of ``"pipeline"`` and ``"loop"``: the most that process and device held until the end of the
            first round, GB.
        stages: A timing by the stage's name; None where there is no such stage.
        forward: torchvision's own forward in batches of the same size, in autocast, without pasting.
        operations: Of the network's layers for one frame.
        peak_rate: Operations per second of a large matrix product.
        painting: See :func:`streamseg.benchmark.painting.measure_painting`.
        following: See :func:`streamseg.benchmark.following.measure_following`.
        identities: See :func:`streamseg.benchmark.identities.measure_identities`; those of all scenes taken together.
    """

    about: dict[str, Any]
    rounds: list[tuple[str, Timing]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    memory: dict[str, dict[str, float | None]] = field(default_factory=dict)
    stages: dict[str, Timing | None] = field(default_factory=dict)
    forward: Timing | None = None
    operations: int | None = None
    peak_rate: float | None = None
    painting: list[dict[str, Any]] = field(default_factory=list)
    following: list[dict[str, Any]] = field(default_factory=list)
    identities: list[Identities] = field(default_factory=list)

    def whole(self, part: str) -> Timing | None:
        """All rounds of the pipeline or of the loop; None where it did not run."""
        timings = [timing for name, timing in self.rounds if name == part]
        return together(timings) if timings else None

    @property
    def slowest(self) -> tuple[str, Timing] | None:
        """The stage that limits the pipeline; None where stages were not measured."""
        timings = [(name, timing) for name in PIPELINE_STAGES if (timing := self.stages.get(name)) is not None]
        return max(timings, key=lambda pair: self._per_frame(*pair), default=None)

    def _per_frame(self, name: str, timing: Timing) -> float:
        """Milliseconds that a stage takes per frame of the video, of which the model sees every ``stride``-th."""
        return timing.mean_ms / (self.about["stride"] if name == "segment" else 1)

    def ratios(self) -> dict[str, float | None]:
        """What the figures come to.

        Returns:
            ``pipeline_over_loop``: how many times as many frames per second. ``end_to_end_over_slowest_stage``: the
            pipeline's time per frame over that of its slowest stage alone, at best 1.
            ``end_to_end_over_bound``: over the larger of the network's time alone, in as many workers, and the CPU
            seconds that a frame takes divided by the cores. ``network_over_torchvision``: how many times as many
            frames per second as torchvision's forward. ``share_of_matrix_rate``: what the network's layers compute in
            a second, over a large matrix product. None for what was not measured.
        """
        pipeline, loop, slowest = self.whole("pipeline"), self.whole("loop"), self.slowest
        segment = self.stages.get("segment")
        bound = None
        if segment and pipeline:
            bound = max(self._per_frame("segment", segment), pipeline.cpu_ms / self.about["machine"]["cores"])
        return {
            "pipeline_over_loop": pipeline.fps / loop.fps if pipeline and loop else None,
            "end_to_end_over_slowest_stage": pipeline.mean_ms / self._per_frame(*slowest)
            if pipeline and slowest
            else None,
            "end_to_end_over_bound": pipeline.mean_ms / bound if pipeline and bound else None,
            "network_over_torchvision": segment.fps / self.forward.fps if segment and self.forward else None,
            "share_of_matrix_rate": self.operations * segment.fps / self.peak_rate
            if segment and self.operations and self.peak_rate
            else None,
        }

    def figures(self) -> dict[str, Any]:
        """Everything as plain values for programs."""
        wholes = {part: whole.figures() | self.memory[part] for part in PARTS if (whole := self.whole(part))}
        return {
            **self.about,
            **wholes,
            "notes": self.notes,
            "rounds": [{"what": name, **timing.figures()} for name, timing in self.rounds],
            "stages": {name: timing and timing.figures() for name, timing in self.stages.items()},
            "torchvision_forward": self.forward and self.forward.figures(),
            "slowest_stage": self.slowest and self.slowest[0],
            "network": {"operations_per_frame": self.operations, "matrix_operations_per_second": self.peak_rate},
            "ratios": self.ratios(),
            "overlay": self.painting,
            "following": self.following,
            "identities": [one.figures() for one in self.identities],
        }
