"""Publishing together: who waits for what, what is given back, and that nothing is sent for nobody."""

import asyncio

import pytest

from varde.server import collector_post
from varde.server.collector_post import CALL_MESSAGES, CALLS, FullError, Post
from varde.server.errors import PublishError, RefusedError


class Topic:
    """Takes what it is sent while `open`, holds calls while not `open`, fails with `error`."""

    def __init__(self):
        self.calls: list[list[bytes]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None
        self.refuses = b""

    async def send(self, messages):
        self.calls.append(list(messages))
        await self.open.wait()
        if self.error:
            raise self.error
        if self.refuses and self.refuses in messages:
            raise RefusedError("no")

    @property
    def sent(self):
        return sorted(message for call in self.calls for message in call)


@pytest.fixture
async def topic():
    return Topic()


@pytest.fixture
async def post(topic):
    ours = Post(topic.send, 10_000, lambda _: None)
    ours.start()
    yield ours
    await ours.stop()


def numbered(n, first=0):
    return [b"%06d" % number for number in range(first, first + n)]


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


async def test_requests_that_come_together_are_published_together(post, topic):
    await asyncio.gather(*(post.deliver([data]) for data in numbered(500)))
    assert topic.sent == numbered(500)
    assert len(topic.calls) == 1
    assert len(post) == 0


async def test_a_large_request_goes_in_several_calls_and_waits_for_all(post, topic):
    await post.deliver(numbered(2_500))
    assert topic.sent == numbered(2_500)
    assert [len(call) for call in topic.calls] == [CALL_MESSAGES, CALL_MESSAGES, 500]


async def test_calls_have_a_bound_of_bytes(post, topic):
    await post.deliver([b"x" * 32_000] * 400)
    assert max(sum(map(len, call)) for call in topic.calls) <= collector_post.CALL_BYTES
    assert sum(map(len, topic.calls)) == 400


async def test_nothing_is_said_before_it_is_taken(post, topic):
    topic.open.clear()
    asking = asyncio.create_task(post.deliver([b"a"]))
    await until(lambda: topic.calls)
    assert not asking.done()
    assert len(post) == 1
    topic.open.set()
    assert await asking == 0


async def test_no_messages_wait_for_nothing(post, topic):
    assert await post.deliver([]) == 0
    assert topic.calls == []


async def test_there_are_few_calls_at_once(post, topic):
    topic.open.clear()
    asking = [asyncio.create_task(post.deliver(numbered(CALL_MESSAGES, n * CALL_MESSAGES))) for n in range(9)]
    await until(lambda: len(topic.calls) == CALLS)
    await asyncio.sleep(0.02)  # would another begin, it had
    assert len(topic.calls) == CALLS
    topic.open.set()
    await asyncio.gather(*asking)


async def test_a_failed_call_fails_its_requests_and_no_others(post, topic):
    topic.error = PublishError("gone")
    found = await asyncio.gather(*(post.deliver([data]) for data in numbered(3)), return_exceptions=True)
    assert [type(one) for one in found] == [PublishError] * 3
    topic.error = None
    assert await post.deliver([b"a"]) == 0
    assert len(post) == 0


async def test_what_cannot_begin_in_time_is_given_back_and_never_sent(post, topic, monkeypatch):
    monkeypatch.setattr(collector_post, "BEGUN_WITHIN_S", 0.1)
    topic.open.clear()
    first = [asyncio.create_task(post.deliver(numbered(CALL_MESSAGES, n * CALL_MESSAGES))) for n in range(CALLS)]
    await until(lambda: len(topic.calls) == CALLS)
    late = asyncio.create_task(post.deliver([b"late"]))
    await asyncio.sleep(0.3)
    topic.open.set()
    with pytest.raises(PublishError, match="no call could begin"):
        await late
    await asyncio.gather(*first)
    assert await post.deliver([b"next"]) == 0
    assert b"late" not in topic.sent


async def test_whoever_has_gone_has_nothing_sent(post, topic):
    topic.open.clear()
    first = [asyncio.create_task(post.deliver(numbered(CALL_MESSAGES, n * CALL_MESSAGES))) for n in range(CALLS)]
    await until(lambda: len(topic.calls) == CALLS)
    gone = asyncio.create_task(post.deliver([b"gone"]))
    await asyncio.sleep(0)
    gone.cancel()
    topic.open.set()
    await asyncio.gather(*first)
    assert await post.deliver([b"next"]) == 0
    assert b"gone" not in topic.sent
    assert len(post) == 0


async def test_there_is_a_bound_of_what_waits(topic):
    post = Post(topic.send, 10, lambda _: None)
    post.start()
    topic.open.clear()
    first = asyncio.create_task(post.deliver(numbered(8)))
    await until(lambda: len(post) == 8)
    with pytest.raises(FullError):
        await post.deliver(numbered(3, 100))
    second = asyncio.create_task(post.deliver(numbered(2, 8)))
    topic.open.set()
    await asyncio.gather(first, second)
    assert topic.sent == numbered(10)
    await post.deliver(numbered(20, 20))  # more than there is room for, alone
    assert len(topic.sent) == 30
    await post.stop()


async def test_one_that_is_refused_does_not_keep_the_others(post, topic):
    topic.refuses = b"000007"
    asking = [asyncio.create_task(post.deliver(numbered(5, n * 5))) for n in range(4)]
    assert await asyncio.gather(*asking) == [0, 1, 0, 0]
    taken = [call for call in topic.calls if topic.refuses not in call]
    assert sorted(message for call in taken for message in call) == [one for one in numbered(20) if one != b"000007"]
