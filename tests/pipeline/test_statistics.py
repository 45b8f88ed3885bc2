from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamseg.frame import StreamInfo
from streamseg.instances import Instances
from streamseg.pipeline.statistics import IdCounter, Meter, Statistics
from streamseg.regions import Regions


def info(live: bool = False, **known) -> StreamInfo:
    return StreamInfo("a", 2, 2, Fraction(1, 10), live=live, **known)


def objects(ids: list[int], labels: list[int]) -> Instances:
    count = len(ids)
    return Instances(
        np.zeros((count, 4), np.float32),
        np.ones(count, np.float32),
        np.array(labels, np.int64),
        np.zeros((count, 28, 28), np.float32),
        np.array(ids, np.int64),
        ("person", "vehicle"),
    )


@given(st.lists(st.integers(1, 200)))
def test_identities_are_new_once(identities):
    counter, seen = IdCounter(), set()
    for identity in identities:
        assert counter.add(identity) == (identity not in seen)
        seen.add(identity)


def test_objects_are_counted_by_class_and_identity():
    statistics = Statistics([info(), info()])
    statistics.found(0, objects([1, 2, 0], [0, 1, 1]))
    statistics.found(0, objects([1, 2], [0, 0]))  # 2 has changed its class
    statistics.found(1, objects([1], [1]))  # another source, another object
    assert statistics.objects == {"person": 3, "vehicle": 3}
    assert statistics.identities == {"person": 1, "vehicle": 2}
    assert statistics.frames == 3


def test_regions_are_added_up_by_the_share_that_they_cover():
    statistics = Statistics([info(), info()])
    labels = np.zeros((4, 5), np.uint8)
    labels[:2] = 2
    labels[2, :4] = 1
    for stream, part in ((0, labels), (0, labels[:2]), (1, labels[3:])):
        statistics.found(stream, Regions(part, ("road", "car")))
    assert statistics.covered == pytest.approx({"road": 0.2, "car": 1.5})
    assert statistics.frames == 3 and not statistics.objects and not statistics.identities


@pytest.mark.parametrize(
    ("known", "max_frames", "expected"),
    [
        ({"frames": 10}, None, 10),
        ({"frames": 10}, 2, 2),
        ({"frames": 10}, 20, 10),
        ({"duration": 2.0, "rate": Fraction(25)}, None, 50),
        ({"duration": 2.0, "rate": Fraction(25), "live": True}, None, None),
        ({}, None, None),
        ({"live": True}, 7, 7),
    ],
)
def test_expected_frames(known, max_frames, expected):
    assert Statistics([info(**known)], max_frames).streams[0].expected == expected


def test_a_meter_tells_the_rate_of_late():
    meter = Meter()
    rates = []
    for now in (0.0, 0.5, 1.0, 20.0, 20.1, 20.2):
        meter.add(now)
        rates.append(round(meter.rate, 3))
    assert rates == [0.0, 2.0, 2.0, round(1 / 19, 3), 10.0, 10.0]


def test_frames_that_the_model_has_not_seen_are_carried():
    statistics = Statistics([info(live=True), info()])
    for _ in range(3):
        statistics.found(0, objects([1], [0]))
    statistics.segmented(0)
    assert [(each.frames, each.segmented, each.carried) for each in statistics.streams] == [(3, 1, 2), (0, 0, 0)]
    assert statistics.rates(0)[0] == 0 < statistics.rates(0)[1]


def test_latency_is_that_of_live_sources():
    statistics = Statistics([info(), info(live=True)])
    statistics.start()
    assert statistics.first_result_seconds is None
    statistics.written(0, born=0.0)
    statistics.written(1, born=0.0)
    assert statistics.streams[0].latency.count == 0
    assert statistics.streams[1].latency.count == 1 and statistics.streams[1].latency.mean > 0
    assert statistics.first_result_seconds >= 0
