"""BigQuery jobs that run once however often they are sent, and BigQuery's errors as one line that says what to do.

A job's id is made once for a call, from the run's name and from what the job does. A request that is repeated because
its answer was lost meets the job that it has already started (409), and waits for that instead of starting another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import TypeVar, cast

from google.api_core.exceptions import Conflict, GoogleAPICallError, GoogleAPIError, NotFound, RetryError
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud import bigquery

from . import MissingError, UnavailableError, WarehouseError

Job = TypeVar("Job", bigquery.QueryJob, bigquery.LoadJob)

AGAIN = frozenset(
    {
        "backendError",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "rateLimitExceeded",
    }
)
"""Reasons for which a job that has failed is started again, under a further id."""

LATER = AGAIN | {"quotaExceeded", "stopped", "tableUnavailable", "timeout"}
"""Reasons that say nothing against the call: it may succeed when the job is run again."""

LATER_CODES = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP codes that say the same."""

TRIES = 3
"""Jobs started for one call, at most."""

FOUND_S = 60.0
"""For so long a job that exists (409) is looked for: it may not be visible at once."""

LONGEST = 400
"""Characters of an error message that are kept."""

ADVICE = {
    "accessDenied": "the account needs BigQuery Job User on the project, BigQuery Data Viewer on Segment's dataset "
    "and BigQuery Data Editor on Varde's",
    "billingNotEnabled": "enable billing for the project",
    "bytesBilledLimitExceeded": "nothing was billed; raise the limit of bytes billed, or count a shorter window",
    "invalid": "this is an error of Varde or of the table's columns",
    "invalidQuery": "Segment's tables are not as expected, or this is an error of Varde",
    "notFound": "create the dataset, or correct its name, project or location; a table is made by the step before",
    "quotaExceeded": "a quota of the project is used up: run again later, or ask for more",
    "rateLimitExceeded": "too many requests for the project: run again later",
    "resourcesExceeded": "count a shorter window or a smaller cap",
    "responseTooLarge": "count a shorter window or a smaller cap",
    "stopped": "somebody has cancelled the job: run again",
}
"""What to do, by BigQuery's reason."""


class Jobs:
    """Starts jobs and waits for them.

    Args:
        client: Google's client.
        location: where the datasets are, such as `EU`.
        run: name of this start, in every job id: letters, digits, `_`, `-`. Never the same twice: a job of an earlier
            start would be taken for one of this.
        retry: how a single request is repeated.
        pause: waits for seconds before a failed job is started again.
    """

    def __init__(
        self, client: bigquery.Client, location: str, run: str, retry: Retry, pause: Callable[[float], None]
    ) -> None:
        self._client = client
        self._location = location
        self._run = run
        self._retry = retry
        self._pause = pause
        self._made: Counter[str] = Counter()

    def finish(self, name: str, content: bytes, begin: Callable[[str], Job]) -> Job:
        """Start a job, or find it started, and wait for its end.

        Args:
            name: part of the job's id: letters, digits, `_`.
            content: everything that the job depends on; of the same content every call is a job of its own.
            begin: sends the job under an id and does not wait.

        Raises:
            GoogleAPIError: the job failed, or its state is unknown.
        """
        key = f"varde-{self._run}-{name}-{blake2b(content, digest_size=12).hexdigest()}"
        self._made[key] += 1
        for attempt in range(1, TRIES + 1):
            job = self._started(f"{key}-{self._made[key]}-{attempt}", begin)
            try:
                job.result(retry=self._retry, **({"job_retry": None} if isinstance(job, bigquery.QueryJob) else {}))
            except GoogleAPICallError as error:
                failed = job.error_result is not None  # else the question failed, and the job may go on
                if not failed or attempt == TRIES or reason(error) not in AGAIN:
                    raise
                self._pause(2.0**attempt)
            else:
                return job
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def _started(self, job_id: str, begin: Callable[[str], Job]) -> Job:
        try:
            return begin(job_id)
        except Conflict:  # it has begun, but the answer was lost
            look = Retry(predicate=if_exception_type(NotFound), timeout=FOUND_S)(self._client.get_job)
            return cast(Job, look(job_id, location=self._location, retry=self._retry))


def reason(error: BaseException) -> str:
    """BigQuery's word for an error; empty when it gave none."""
    errors = getattr(error, "errors", None) or [{}]
    return str(errors[0].get("reason", "")) if isinstance(errors[0], dict) else ""


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Every failure of a request inside becomes a WarehouseError of its kind that begins with what was being done."""
    try:
        yield
    except WarehouseError as error:
        raise type(error)(f"{doing}: {error}") from error
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise kind(error)(f"{doing}: {line(error)}") from error


def kind(error: BaseException) -> type[WarehouseError]:
    """Whether what failed may succeed later, is missing, or neither."""
    error = _cause(error)
    if isinstance(error, NotFound):
        return MissingError
    if isinstance(error, GoogleAuthError) and not isinstance(error, TransportError):
        return UnavailableError if error.retryable else WarehouseError
    if isinstance(error, GoogleAPICallError):
        why = reason(error)  # the client gives a failed job the code 500 when it does not know the reason
        later = why in LATER or (why not in ADVICE and error.code in LATER_CODES)
        return UnavailableError if later else WarehouseError
    return UnavailableError  # no answer at all


def line(error: BaseException) -> str:
    """What went wrong and what to do, in one line."""
    error = _cause(error)
    if isinstance(error, GoogleAuthError) and not isinstance(error, TransportError):
        return f"{_short(str(error))}; log in with `gcloud auth application-default login`, or name a key"
    if isinstance(error, GoogleAPICallError):
        errors = error.errors or [{}]
        first = errors[0] if isinstance(errors[0], dict) else {}
        text = _short(str(first.get("message") or error.message))
        advice = ADVICE.get(reason(error))
        return f"{text}; {advice}" if advice else text
    return f"{_short(str(error))}; BigQuery does not answer: run again later"


def _cause(error: BaseException) -> BaseException:
    """What was repeated until time was up."""
    return error.cause if isinstance(error, RetryError) and error.cause is not None else error


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= LONGEST else one[: LONGEST - 1] + "…"
