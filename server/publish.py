"""Publishing to the topic of Segment's messages with Google's client: awaited, under a deadline, one error.

Imported only where there is a topic: the client takes most of a second to load.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future

from google.api_core.exceptions import GoogleAPIError, InvalidArgument
from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError
from google.cloud.pubsub_v1 import PublisherClient
from google.pubsub_v1 import PublisherClient as Requests
from google.pubsub_v1.types import PublishRequest

from .errors import PublishError, RefusedError

PUBLISHED_WITHIN_S = 10.0


class Publisher:
    """One topic. The client is made at the first message, so that a server starts without Pub/Sub and credentials.

    PUBSUB_EMULATOR_HOST sends everything to an emulator, without credentials.
    """

    def __init__(self, topic: str, within_s: float = PUBLISHED_WITHIN_S) -> None:
        """To `topic`, projects/PROJECT/topics/NAME; a message that takes longer than `within_s` seconds has failed."""
        self._topic = topic
        self._within_s = within_s
        # The client's own would try on for ten minutes.
        self._retry = Retry(initial=0.1, maximum=1.0, timeout=within_s)
        self._lock = threading.Lock()
        self._client: PublisherClient | None = None

    async def publish(self, data: bytes) -> None:
        """Return when Pub/Sub has taken the message. The event loop is never held up.

        Raises:
            PublishError: it has not, or did not say so in time; it may still have arrived.
        """
        try:
            async with asyncio.timeout(self._within_s):
                # In a thread, because looking for credentials may ask a metadata server.
                client = await asyncio.to_thread(self._opened)
                # Hands the message to the client's own threads.
                future: Future[str] = client.publish(self._topic, data, retry=self._retry, timeout=self._within_s)
                await asyncio.wrap_future(future)
        except TimeoutError:
            msg = f"no answer within {self._within_s:g} s"
            raise PublishError(msg) from None
        except (GoogleAPIError, GoogleAuthError) as error:
            msg = f"{type(error).__name__}: {error}"
            raise PublishError(msg) from error

    async def publish_all(self, messages: Sequence[bytes]) -> None:
        """Return when Pub/Sub has taken all messages, in one request: at most 1,000 and 10 MB.

        The client's own batching would spend more on the locks of each message than the server on the whole answer.

        Raises:
            RefusedError: it will never take one of these.
            PublishError: it has not taken them, or did not say so in time; they may still have arrived.
        """
        try:
            await asyncio.to_thread(self._requested, messages)
        except InvalidArgument as error:
            raise RefusedError(f"{type(error).__name__}: {error}") from error
        except (GoogleAPIError, GoogleAuthError) as error:
            msg = f"{type(error).__name__}: {error}"
            raise PublishError(msg) from error

    def _requested(self, messages: Sequence[bytes]) -> None:
        request = PublishRequest(topic=self._topic)
        add = PublishRequest.pb(request).messages.add
        for data in messages:
            add(data=data)
        Requests.publish(self._opened(), request=request, retry=None, timeout=self._within_s)

    def _opened(self) -> PublisherClient:
        with self._lock:
            if self._client is None:
                self._client = PublisherClient()
            return self._client

    async def close(self) -> None:
        """Let go of the connection. Messages that are awaited are not under way any more."""
        if self._client is not None:
            await asyncio.to_thread(_closed, self._client)


def _closed(client: PublisherClient) -> None:
    client.stop()
    client.transport.close()
