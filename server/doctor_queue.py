"""What `varde doctor` finds in Pub/Sub: topics that are there, the stream's subscription, and how far it lags.

The lag is known to Cloud Monitoring alone; an emulator has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import google.auth
from google.api_core.exceptions import GoogleAPICallError, NotFound, PermissionDenied, RetryError
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from varde.settings import Settings

from .doctor_findings import Finding, ok, problem, unknown, warning

WITHIN_S = 10.0
MONITORING = "https://monitoring.googleapis.com/v3"
OLDEST = "pubsub.googleapis.com/subscription/oldest_unacked_message_age"
LOOK_BACK_S = 600
"""A figure of Cloud Monitoring is minutes old, and there is one a minute."""
LATE_S, VERY_LATE_S = 60, 3_600
LEAST_DEADLINE_S = 60
"""Least acknowledgement deadline: a bundle of the stream takes seconds, and what is late comes twice."""
DELETED = "_deleted-topic_"
LOGIN = "give credentials: `gcloud auth application-default login`, or a service account on Google Cloud"

Get = Callable[[str], Mapping[str, Any]]
"""Fetches a URL as JSON. Raises OSError or GoogleAuthError."""


def topics(settings: Settings) -> list[Finding]:
    """Whether the topics of the settings are there."""
    names = {"VARDE_TOPIC": settings.topic, "VARDE_EXPOSURES_TOPIC": settings.exposures_topic}
    given = {name: topic for name, topic in names.items() if topic}
    if not given:
        return [unknown("topics", "neither VARDE_TOPIC nor VARDE_EXPOSURES_TOPIC is set: no collector, no erasures")]
    try:
        with _closed(PublisherClient()) as client:
            return [_topic(client, name, topic) for name, topic in given.items()]
    except GoogleAuthError as error:
        return [problem("topics", _said(error), LOGIN)]


def _topic(client: Any, name: str, topic: str) -> Finding:
    try:
        client.get_topic(topic=topic, timeout=WITHIN_S, retry=None)
    except NotFound:
        return problem("topics", f"{name}: there is no {topic}", f"`gcloud pubsub topics create {topic}`")
    except PermissionDenied:
        fix = "grant roles/pubsub.viewer to see it and roles/pubsub.publisher to send to it"
        return warning("topics", f"{name}: may not look at {topic}", fix)
    except (GoogleAPICallError, RetryError, GoogleAuthError) as error:
        return problem("topics", f"{name}: {_said(error)}", f"Pub/Sub has to be reachable; {LOGIN}")
    return ok("topics", f"{name}: {topic} is there")


def subscription(name: str, settings: Settings) -> list[Finding]:
    """Whether the subscription that the stream reads is there and fits.

    Args:
        name: projects/PROJECT/subscriptions/NAME.
        settings: the topic that it should be of.
    """
    fix = f"`gcloud pubsub subscriptions create {name} --topic=TOPIC --ack-deadline={LEAST_DEADLINE_S}`"
    try:
        with _closed(SubscriberClient()) as client:
            found = client.get_subscription(subscription=name, timeout=WITHIN_S, retry=None)
    except NotFound:
        return [problem("subscription", f"there is no {name}", fix)]
    except PermissionDenied:
        return [warning("subscription", f"may not look at {name}", "grant roles/pubsub.viewer")]
    except (GoogleAPICallError, RetryError, GoogleAuthError) as error:
        return [problem("subscription", _said(error), f"Pub/Sub has to be reachable; {LOGIN}")]
    return _subscribed(name, found, settings.topic)


def _subscribed(name: str, found: Any, topic: str) -> list[Finding]:
    if found.topic == DELETED:
        fix = "its topic was deleted: delete the subscription, and create both anew"
        return [problem("subscription", f"{name} gets nothing any more", fix)]
    if topic and found.topic != topic:
        fix = "subscribe to VARDE_TOPIC, or set it to that topic"
        return [problem("subscription", f"{name} is of {found.topic}, VARDE_TOPIC is {topic}", fix)]
    if found.ack_deadline_seconds < LEAST_DEADLINE_S:
        fix = f"`gcloud pubsub subscriptions update {name} --ack-deadline={LEAST_DEADLINE_S}`"
        return [warning("subscription", f"acknowledgement deadline {found.ack_deadline_seconds} s", fix)]
    return [ok("subscription", f"{name} of {found.topic}")]


def lag(name: str, get: Get, now: datetime) -> Finding:
    """How old the oldest message is that the stream has not acknowledged.

    Args:
        name: projects/PROJECT/subscriptions/NAME.
        get: fetches a URL of Cloud Monitoring; `authorized` makes one.
        now: the end of the time that is looked at.
    """
    _, project, _, short = name.split("/", 3)
    asked = {
        "filter": f'metric.type="{OLDEST}" AND resource.labels.subscription_id="{short}"',
        "interval.startTime": _rfc3339(now - timedelta(seconds=LOOK_BACK_S)),
        "interval.endTime": _rfc3339(now),
        "view": "FULL",
    }
    try:
        told = get(f"{MONITORING}/projects/{project}/timeSeries?{urlencode(asked)}")
        points = [point for series in told.get("timeSeries", []) for point in series.get("points", [])]
        newest = max(points, key=lambda point: str(point["interval"]["endTime"]), default=None)
        age = None if newest is None else int(newest["value"]["int64Value"])
    except (OSError, GoogleAuthError) as error:
        return unknown("lag", _said(error), f"grant roles/monitoring.viewer; {LOGIN}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return unknown("lag", f"Cloud Monitoring's answer is not understood: {type(error).__name__}")
    if age is None:
        return unknown("lag", f"Cloud Monitoring has no figure of the last {LOOK_BACK_S // 60} minutes")
    fix = "see docs/runbook.md#streamlag: does the job run, does Redis take writes, are there workers enough?"
    shown = f"the oldest message not acknowledged is {age:,} s old"
    if age >= VERY_LATE_S:
        return problem("lag", shown, fix)
    return warning("lag", shown, fix) if age >= LATE_S else ok("lag", shown)


def authorized() -> Get:
    """Fetches with the application default credentials."""

    def get(url: str) -> Mapping[str, Any]:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/monitoring.read"])
        opened: Any = AuthorizedSession  # of a package that is typed in part only
        with opened(credentials) as session:
            answer = session.get(url, timeout=WITHIN_S)
            answer.raise_for_status()
            told: Mapping[str, Any] = answer.json()
            return told

    return get


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _said(error: Exception) -> str:
    """The first line of what an error says: Google's may have many."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


@contextmanager
def _closed(client: Any) -> Iterator[Any]:
    try:
        yield client
    finally:
        client.transport.close()
