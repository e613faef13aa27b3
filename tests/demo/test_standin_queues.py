import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from varde.demo.queues import Holder, Queue, Stored

DAY = 86_400.0


def queue(**options: Any) -> Queue:
    return Queue("q", ack_deadline=10, retention=7 * DAY, **options)


def stored(number: int, published: float = 0.0, size: int = 10) -> Stored:
    return Stored(number, published, f"body {number}", size)


def numbers(taken: list[Any]) -> list[int]:
    return [entry.message.number for _, entry in taken]


def test_a_lease_ends_exactly_at_its_deadline() -> None:
    q = queue()
    q.put(stored(1))
    assert numbers(q.lease(0.0, 10, 1000)) == [1]
    assert q.lease(9.999, 10, 1000) == []
    assert numbers(q.lease(10.0, 10, 1000)) == [1]


def test_redelivery_comes_before_the_rest_of_the_backlog() -> None:
    q = queue()
    for number in range(3):
        q.put(stored(number))
    assert numbers(q.lease(0.0, 1, 1000)) == [0]
    assert numbers(q.lease(11.0, 10, 1000)) == [0, 1, 2]


def test_flow_control_counts_what_a_stream_holds_until_it_lets_go() -> None:
    q, holder = queue(), Holder()
    for number in range(4):
        q.put(stored(number))
    taken = q.lease(0.0, 4, 1000, holder)
    assert (holder.messages, holder.size) == (4, 40)
    ids = [ack_id for ack_id, _ in taken]
    q.acknowledge(1.0, ids[:1])
    q.modify(1.0, ids[1:2], 0)
    assert (holder.messages, holder.size) == (2, 20)
    q.expire(10.0)
    assert (holder.messages, holder.size) == (0, 0)


def test_a_lease_is_cut_by_bytes_but_never_to_nothing() -> None:
    q = queue()
    for number in range(3):
        q.put(stored(number, size=100))
    assert numbers(q.lease(0.0, 10, 150)) == [0, 1]
    assert numbers(q.lease(0.0, 10, 1)) == [2]


def test_messages_older_than_the_retention_are_forgotten_even_when_leased() -> None:
    q = Queue("q", ack_deadline=600, retention=700)
    q.put(stored(1, published=0.0))
    taken = q.lease(699.0, 10, 1000)
    q.expire(700.0)
    assert (q.size, len(q.entries)) == (0, 0)
    q.acknowledge(701.0, [taken[0][0]])
    assert q.lease(2000.0, 10, 1000) == []


def test_shedding_takes_the_oldest_acknowledged_messages_only() -> None:
    q = queue(retain=True)
    for number in range(4):
        q.put(stored(number))
    ids = {entry.message.number: ack_id for ack_id, entry in q.lease(0.0, 4, 1000)}
    q.acknowledge(0.0, [ids[1], ids[2]])
    q.shed(30)
    assert list(q.entries) == [0, 2, 3]
    q.shed(0)
    assert list(q.entries) == [0, 3]


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.booleans())
def test_nothing_is_lost_and_nothing_acknowledged_comes_again(seed: int, retain: bool) -> None:
    rng, q, now = random.Random(seed), queue(retain=retain), 0.0
    put, done, tried, given_out = 0, set[int](), set[int](), list[tuple[str, int, float]]()
    for _ in range(120):
        now += rng.random() * 4
        match rng.randrange(4):
            case 0:
                q.put(stored(put, published=now))
                put += 1
            case 1:
                for ack_id, entry in q.lease(now, rng.randint(1, 3), 1000):
                    assert entry.message.number not in done
                    given_out.append((ack_id, entry.message.number, now + 10))
            case 2 if given_out:
                ack_id, number, until = rng.choice(given_out)
                q.acknowledge(now, [ack_id])
                tried.add(number)
                if now < until and all(other == ack_id for other, n, _ in given_out[::-1] if n == number):
                    done.add(number)
            case 3 if given_out:
                q.modify(now, [rng.choice(given_out)[0]], rng.choice((0, 0, 3)))
                given_out = [(ack_id, number, -1.0) for ack_id, number, _ in given_out]
    rest = set(numbers(q.lease(now + 1000, 10_000, 10**9)))
    acknowledged = set(range(put)) - rest
    assert done <= acknowledged <= tried
    q.seek(-1.0)
    back = set(numbers(q.lease(now + 2000, 10_000, 10**9)))
    assert back == (set(range(put)) if retain else rest)
