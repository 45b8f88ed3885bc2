from __future__ import annotations

import queue
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.pipeline.channel import Channel, Ended

PATIENT = 10.0


@given(items=st.lists(st.integers(), max_size=30), capacity=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_everything_comes_out_in_order(items, capacity):
    channel: Channel[int] = Channel(capacity)

    def give():
        for item in items:
            assert channel.put(item)
        channel.close()

    giver = threading.Thread(target=give, daemon=True)
    giver.start()
    assert list(channel) == items
    giver.join(PATIENT)


def test_it_ends_when_every_giver_has_closed_it():
    channel: Channel[int] = Channel(4, givers=2)
    channel.put(1)
    channel.close()
    assert channel.get() == 1
    with pytest.raises(queue.Empty):
        channel.get(timeout=0.01)
    channel.close()
    with pytest.raises(Ended):
        channel.get()


def test_a_giver_waits_while_it_is_full():
    channel: Channel[int] = Channel(1)
    channel.put(1)
    second = threading.Event()
    threading.Thread(target=lambda: (channel.put(2), second.set()), daemon=True).start()
    assert not second.wait(0.05)
    assert channel.get() == 1
    assert second.wait(PATIENT)


def test_leaving_frees_a_giver_that_waits():
    channel: Channel[int] = Channel(1)
    channel.put(1)
    answers: list[bool] = []
    giver = threading.Thread(target=lambda: answers.append(channel.put(2)), daemon=True)
    giver.start()
    channel.leave()
    giver.join(PATIENT)
    assert answers == [False]
    assert not channel.put(3)
    with pytest.raises(Ended):
        channel.get()
