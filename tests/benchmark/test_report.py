from __future__ import annotations

import json

import pytest

from streamseg.benchmark.report import Report
from streamseg.benchmark.timing import Timing


def timing(milliseconds, frames=10, cpu=None):
    seconds = milliseconds / 1000
    return Timing(frames, frames * seconds, frames * (cpu or milliseconds) / 1000, (seconds,) * frames)


ABOUT = {"machine": {"cores": 2}, "stride": 1}
MEMORY = {"pipeline": {"process_gb": 1.0, "device_gb": None}, "loop": {"process_gb": 2.0, "device_gb": None}}


def test_what_the_figures_come_to():
    rounds = [("pipeline", timing(40, cpu=60)), ("loop", timing(400, 2)), ("pipeline", timing(44, cpu=60))]
    stages = {"decode": timing(2), "upload": None, "network": timing(90), "segment": timing(35), "encode": timing(20)}
    report = Report(ABOUT, rounds, [], MEMORY, stages, timing(105), 7_000_000_000, 1e12)
    ratios = report.ratios()
    assert report.slowest == ("segment", stages["segment"])
    assert ratios["pipeline_over_loop"] == pytest.approx(400 / 42)
    assert ratios["end_to_end_over_slowest_stage"] == ratios["end_to_end_over_bound"] == pytest.approx(42 / 35)
    assert ratios["network_over_torchvision"] == pytest.approx(3)
    assert ratios["share_of_matrix_rate"] == pytest.approx(0.2)


@pytest.mark.parametrize(("cpu", "bound"), [(60, 35), (80, 40)])
def test_the_bound_is_the_network_or_the_cores(cpu, bound):
    report = Report(ABOUT, [("pipeline", timing(42, cpu=cpu))], memory=MEMORY, stages={"segment": timing(35)})
    assert report.ratios()["end_to_end_over_bound"] == pytest.approx(42 / bound)


def test_a_model_that_sees_every_third_frame_may_take_three_times_as_long():
    stages = {"segment": timing(45), "encode": timing(16)}
    report = Report(ABOUT | {"stride": 3}, [("pipeline", timing(20, cpu=20))], memory=MEMORY, stages=stages)
    assert report.slowest[0] == "encode"
    assert report.ratios()["end_to_end_over_slowest_stage"] == pytest.approx(20 / 16)
    assert report.ratios()["end_to_end_over_bound"] == pytest.approx(20 / 15)


def test_what_was_not_measured_is_null():
    figures = json.loads(json.dumps(Report(ABOUT).figures()))
    assert set(figures["ratios"].values()) == {None}
    assert "pipeline" not in figures and figures["slowest_stage"] is None and figures["rounds"] == []
