"""Trips: what leaves together, deadlines, shedding, the circuit, requests that are gone."""

import asyncio
import logging
import time

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from varde.server import trips as module
from varde.server.errors import StoreError
from varde.server.trips import FAILURES, MOST_TOGETHER, UNDER_WAY, Circuit, Trips, reason_of

SLACK_S = 1.0
"""What a busy machine may add."""


class Redis:
    """What a batch is sent to: answers with the doubled wishes when it may."""

    def __init__(self):
        self.batches, self.may, self.error = [], asyncio.Event(), None
        self.may.set()
        self.failed = []

    async def send(self, wanted):
        self.batches.append(list(wanted))
        await self.may.wait()
        if self.error is not None:
            raise self.error
        return [StoreError("answer") if wish is None else 2 * wish for wish in wanted]

    async def ping(self):
        if self.error is not None or not self.may.is_set():
            raise self.error or TimeoutError


@pytest.fixture
def redis():
    return Redis()


@pytest.fixture
async def circuit(redis):
    circuit = Circuit(redis.ping)
    yield circuit
    await circuit.stop()


def trips_of(redis, circuit, deadline_s=20.0, most=10_000):
    return Trips(redis.send, circuit, deadline_s, most, redis.failed.append)


async def results(*futures):
    return await asyncio.gather(*futures, return_exceptions=True)


def reasons(found):
    return [one.reason for one in found]


async def turns(n=10):
    """Let everything that can go on, go on."""
    for _ in range(n):
        await asyncio.sleep(0)


async def test_wishes_of_one_turn_leave_together(redis, circuit):
    trips = trips_of(redis, circuit)
    assert await results(*(trips.wish(n) for n in range(5))) == [0, 2, 4, 6, 8]
    assert redis.batches == [[0, 1, 2, 3, 4]]


async def test_what_comes_while_all_lanes_are_taken_gathers(redis, circuit):
    trips = trips_of(redis, circuit)
    redis.may.clear()
    futures = []
    for n in range(6):
        futures.append(trips.wish(n))
        await turns()
    assert redis.batches == [[n] for n in range(UNDER_WAY)]
    redis.may.set()
    assert await results(*futures) == [2 * n for n in range(6)]
    assert redis.batches == [[0], [1], [2, 3, 4, 5]]


async def test_a_batch_is_bounded(redis, circuit):
    trips = trips_of(redis, circuit)
    wishes = 2 * MOST_TOGETHER + 1
    assert await results(*(trips.wish(n) for n in range(wishes))) == [2 * n for n in range(wishes)]
    assert [len(batch) for batch in redis.batches] == [MOST_TOGETHER, MOST_TOGETHER, 1]


async def test_the_deadline_runs_from_the_wish_and_not_from_its_trip(redis, circuit):
    trips = trips_of(redis, circuit, deadline_s=0.05)
    redis.may.clear()
    loop = asyncio.get_running_loop()
    began = loop.time()
    futures = [trips.wish(1), trips.wish(2)]
    await turns()
    waiting = trips.wish(3)
    await turns()
    late = trips.wish(4)
    assert reasons(await results(*futures, waiting, late)) == ["timeout"] * 4
    assert 0.05 <= loop.time() - began < 0.05 + SLACK_S
    assert redis.failed == ["timeout"] * 4
    assert len(redis.batches) <= UNDER_WAY + 1


async def test_a_frozen_trip_frees_its_lane(redis, circuit):
    trips = trips_of(redis, circuit, deadline_s=0.05)
    redis.may.clear()
    await results(*[trips.wish(1)])
    await results(*[trips.wish(2)])
    async with asyncio.timeout(SLACK_S + 1):
        while trips._under_way:
            await asyncio.sleep(0.01)
    redis.may.set()
    assert not circuit.open
    assert await trips.wish(3) == 6


async def test_a_wish_that_expired_before_it_left_is_not_sent(redis, circuit):
    trips = trips_of(redis, circuit, deadline_s=0.05)
    redis.may.clear()
    lanes = []
    for n in range(UNDER_WAY):
        lanes.append(trips.wish(n))
        await turns()
    expired = trips.wish(99)
    assert reasons(await results(*lanes, expired)) == ["timeout"] * 3
    redis.may.set()
    async with asyncio.timeout(SLACK_S):
        while trips._under_way:
            await asyncio.sleep(0)
    assert await trips.wish(5) == 10
    assert [99] not in redis.batches


async def test_too_many_are_shed_at_once_and_the_others_answered(redis, circuit):
    trips = trips_of(redis, circuit, most=3)
    redis.may.clear()
    futures = [trips.wish(n) for n in range(3)]
    with pytest.raises(StoreError, match="shed"):
        trips.wish(3)
    redis.may.set()
    assert await results(*futures) == [0, 2, 4]
    assert await trips.wish(7) == 14
    assert redis.failed == ["shed"]
    assert not circuit.open


async def test_a_request_that_is_gone_takes_nothing_from_the_others(redis, circuit):
    trips = trips_of(redis, circuit)
    redis.may.clear()
    shared = trips.wish(1)

    async def request():
        return await shared

    gone, stays = asyncio.create_task(request()), asyncio.create_task(request())
    await turns()
    gone.cancel()
    await turns()
    redis.may.set()
    assert await stays == 2
    await asyncio.gather(gone, return_exceptions=True)
    assert gone.cancelled()
    assert not trips._waiting
    assert redis.failed == []


async def test_one_answer_that_makes_no_sense_fails_alone(redis, circuit):
    trips = trips_of(redis, circuit)
    found = await results(trips.wish(1), trips.wish(None), trips.wish(2))
    assert (found[0], found[1].reason, found[2]) == (2, "answer", 4)
    assert redis.failed == ["answer"]


async def test_the_circuit_opens_after_failures_in_a_row_and_closes_when_redis_is_well(redis, circuit, monkeypatch):
    monkeypatch.setattr(module, "PROBE_S", 0.01)
    trips = trips_of(redis, circuit)
    redis.error = RedisConnectionError("nobody")
    for _ in range(FAILURES - 1):
        assert reasons(await results(trips.wish(1))) == ["connection"]
    redis.error = None
    assert await trips.wish(1) == 2  # not in a row any more
    redis.error = RedisConnectionError("nobody")
    for _ in range(FAILURES):
        assert not circuit.open
        await results(trips.wish(1))
        await turns(2)
    assert circuit.open
    sent = len(redis.batches)
    with pytest.raises(StoreError, match="open"):
        trips.wish(1)
    assert len(redis.batches) == sent
    redis.error = None
    async with asyncio.timeout(SLACK_S):
        while circuit.open:
            await asyncio.sleep(0.01)
    assert await trips.wish(4) == 8


async def test_a_probe_that_fails_in_any_way_is_followed_by_another(redis, circuit, monkeypatch, caplog):
    monkeypatch.setattr(module, "PROBE_S", 0.001)
    redis.error = RuntimeError("the handler is closed")
    for _ in range(FAILURES):
        circuit.failed()
    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(SLACK_S):
            while not caplog.records:
                await asyncio.sleep(0.001)
    assert circuit.open
    redis.error = None
    async with asyncio.timeout(SLACK_S):
        while circuit.open:
            await asyncio.sleep(0.001)


async def test_timeouts_open_the_circuit_too(redis, circuit, monkeypatch):
    trips = trips_of(redis, circuit, deadline_s=0.01)
    redis.may.clear()
    async with asyncio.timeout(20):
        while not circuit.open:
            try:
                await trips.wish(1)
            except StoreError as error:
                assert error.reason == "timeout"
    redis.may.set()


async def test_a_deadline_missed_by_our_own_delay_is_no_failure_of_redis(redis, circuit, monkeypatch):
    trips = trips_of(redis, circuit, deadline_s=0.05)
    monkeypatch.setattr("varde.server.trips.FAILURES", 1)
    wish = trips.wish(1)
    time.sleep(0.1)
    (found,) = await results(wish)
    assert found == 2 or found.reason == "timeout"
    await turns()
    assert not circuit.open
    redis.may.clear()  # and a Redis that is slow on a loop that is not, is
    async with asyncio.timeout(20):
        while not circuit.open:
            await results(trips.wish(2))
    redis.may.set()


async def test_a_fault_of_ours_is_logged_and_answered(redis, circuit, caplog):
    trips = trips_of(redis, circuit)
    redis.error = KeyError("ours")
    with caplog.at_level(logging.ERROR):
        assert reasons(await results(trips.wish(1))) == ["fault"]
    assert "KeyError" in caplog.text
    redis.error = None
    assert await trips.wish(2) == 4


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "timeout"),
        (RedisTimeoutError(), "timeout"),
        (RedisConnectionError(), "connection"),
        (ConnectionRefusedError(), "connection"),
        (FileNotFoundError(), "connection"),
        (ResponseError(), "answer"),
        (ValueError(), "answer"),
        (UnicodeDecodeError("utf-8", b"", 0, 1, ""), "answer"),
        (StoreError("shed"), "shed"),
        (RuntimeError(), "fault"),
    ],
)
def test_every_error_has_a_reason(error, reason):
    assert reason_of(error) == reason
