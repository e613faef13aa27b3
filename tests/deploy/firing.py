"""For each alert series on which it fires, and series near by on which it does not. Minutes, from 0 on."""

from __future__ import annotations

from typing import NamedTuple

DAY = 1440
"""Minutes."""
Series = dict[str, str]


class Case(NamedTuple):
    """alert and severity name a rule. bad: it fires at minute `at`; good: it does not. step: minutes a sample."""

    alert: str
    severity: str
    bad: Series
    good: Series
    at: int = 45
    step: int = 1


def grows(per_step: float, offset: int = 0) -> str:
    """A counter that grows by so much a sample."""
    return f"{offset}+{per_step}x4000"


def stays(value: float) -> str:
    """A gauge, or a counter that stands still."""
    return f"{value}+0x4000"


def then(samples: int, before: float, after: float) -> str:
    """A counter that grows by `before` a sample, then by `after`."""
    return f"0+{before}x{samples} {before * samples + after}+{after}x4000"


def share(total: str, part: str, percent: float) -> Series:
    """Two counters, the part's so many hundredths of the sum of both."""
    return {total: grows(10 * (100 - percent)), part: grows(10 * percent)}


def burns(
    name: str, total: str, part: str, percents: tuple[float, float, float], inclusive: bool = False
) -> list[Case]:
    """Of an error budget: errors of so many hundredths that page, that are a ticket, and that are neither."""
    page, ticket, fine = (
        {total: grows(1000), part: grows(1000 - 10 * percent)} if inclusive else share(total, part, percent)
        for percent in percents
    )
    return [
        Case(name, "page", page, ticket, at=90),
        Case(name, "ticket", ticket, fine, at=DAY + 240, step=10),
    ]


HTTP = 'varde_http_requests_total{route="/v1/similar/{item}",status="%s"}'
LIST = 'varde_http_answers_total{route="/v1/similar/{item}",rung="%s"}'
SLOW = 'varde_http_request_seconds_%s{route="/v1/similar/{item}",rung="pairs"%s}'
FRESH = 'varde_stream_freshness_seconds_bucket{le="%s"}'
STREAM = 'varde_stream_total{counter="%s"}'
TAKEN = 'varde_collector_messages_total{source="collect",result="%s",reason="%s"}'
SENT = 'varde_exposures_total{result="%s",reason="%s"}'
SLOT = 'varde_email_slots_total{result="%s",reason="%s"}'
CLICK = 'varde_email_clicks_total{result="%s",reason="%s"}'
MAIL = 'varde_email_answers_total{result="%s"}'
CARD = 'varde_cards_total{result="%s"}'
OLDEST = 'pubsub_googleapis_com:subscription_oldest_unacked_message_age{subscription_id="varde-stream"}'
WAITING = 'pubsub_googleapis_com:subscription_num_undelivered_messages{subscription_id="varde-dead-letters"}'
USED, BOUND = 'varde_redis_memory_bytes{node="0"}', 'varde_redis_memory_bound_bytes{node="0"}'


def slow(over_a_quarter: float) -> Series:
    """Answers of which so many of 1,000 take longer than a quarter of a second."""
    quick = grows(1000 - over_a_quarter)
    return {
        SLOW % ("bucket", ',le="0.1"'): quick,
        SLOW % ("bucket", ',le="0.25"'): quick,
        SLOW % ("bucket", ',le="1.0"'): grows(1000),
        SLOW % ("bucket", ',le="+Inf"'): grows(1000),
        SLOW % ("count", ""): grows(1000),
    }


SLOS = [
    *burns("AvailabilityBudgetBurns", HTTP % 200, HTTP % 503, (2, 0.4, 0.05)),
    *burns("LatencyBudgetBurns", SLOW % ("count", ""), SLOW % ("bucket", ',le="0.1"'), (20, 4, 0.5), inclusive=True),
    *burns("EmptyListsBudgetBurns", LIST % "pairs", LIST % "none", (2, 0.4, 0.05)),
    *burns("FreshnessBudgetBurns", FRESH % "+Inf", FRESH % "5.0", (20, 4, 0.5), inclusive=True),
    *burns("IntakeBudgetBurns", TAKEN % ("taken", ""), TAKEN % ("not_taken", "busy"), (2, 0.4, 0.05)),
]

SERVER = [
    Case("ServerDown", "page", {'up{job="varde",instance="a"}': stays(0)}, {'up{job="varde",instance="a"}': stays(1)}),
    Case("LatencyHigh", "ticket", slow(20), slow(5)),
    Case(
        "FallbackShareHigh",
        "ticket",
        share(LIST % "pairs", LIST % "popular", 85),
        share(LIST % "pairs", LIST % "popular", 75),
    ),
    Case(
        "FallbackShareHigh",
        "ticket",
        {LIST % "pairs": grows(100), LIST % "popular": then(DAY // 5, 30, 90)},  # 23 %, then 47 %
        {LIST % "pairs": grows(100), LIST % "popular": then(DAY // 5, 60, 90)},  # 37 %, then 47 %
        at=DAY + 60,
        step=5,
    ),
    Case(
        "StaleAnswers",
        "page",
        {LIST % "pairs": grows(100), "varde_stale_answers_total": grows(2)},
        {LIST % "pairs": grows(100), "varde_stale_answers_total": grows(0.5)},
    ),
    Case(
        "ServerMemoryOld",
        "ticket",
        {'varde_memory_age_seconds{process="0",part="names"}': "0+60x100"},
        {'varde_memory_age_seconds{process="0",part="warmth"}': "0+60x100"},
    ),
    Case(
        "ConfigurationRefused",
        "ticket",
        {'varde_config_error{process="0"}': stays(1)},
        {'varde_config_error{process="0"}': stays(0)},
    ),
    Case(
        "RateLimited",
        "ticket",
        {'varde_rate_limited_total{client="mail"}': grows(90)},
        {'varde_rate_limited_total{client="mail"}': grows(30)},
    ),
    Case(
        "ErasuresFail",
        "page",
        {'varde_erasure_requests_total{result="not_published"}': grows(1)},
        {'varde_erasure_requests_total{result="unauthorized"}': grows(1)},
    ),
]

REDIS = [
    Case(
        "RedisDown",
        "page",
        {'varde_store_up{instance="a"}': stays(0), 'varde_store_up{instance="b"}': stays(0)},
        {'varde_store_up{instance="a"}': stays(0), 'varde_store_up{instance="b"}': stays(1)},
    ),
    Case(
        "RedisCircuitOpen",
        "ticket",
        {'varde_circuit_open{process="0"}': stays(1)},
        {'varde_circuit_open{process="0"}': stays(0)},
    ),
    Case("RedisMemoryFull", "page", {USED: stays(93), BOUND: stays(100)}, {USED: stays(91), BOUND: stays(100)}),
    Case(
        "RedisMemoryHigh", "ticket", {USED: stays(81), BOUND: stays(100)}, {USED: stays(79), BOUND: stays(100)}, at=60
    ),
    # 6 hours in which it grows by a hundredth an hour: full in 40 hours, or with half as much room to go, in 200.
    Case(
        "RedisMemoryHigh",
        "ticket",
        {USED: "55000+17x4000", BOUND: stays(100_000)},
        {USED: "55000+3x4000", BOUND: stays(100_000)},
        at=420,
    ),
    Case("RedisMemoryUnbounded", "ticket", {BOUND: stays(0)}, {BOUND: stays(1)}, at=90),
]

STREAMS = [
    Case(
        "StreamSilent",
        "page",
        {STREAM % "messages": then((DAY + 30) // 5, 60, 0)},
        {STREAM % "messages": stays(5)},
        at=DAY + 60,
        step=5,
    ),
    Case(
        "StreamStuck",
        "page",
        {"varde_stream_under_way": stays(7), STREAM % "deliveries_applied": stays(9)},
        {"varde_stream_under_way": stays(7), STREAM % "deliveries_applied": grows(1)},
    ),
    Case("StreamLag", "page", {OLDEST: stays(121)}, {OLDEST: stays(119)}),
    Case(
        "DeadLettersHigh",
        "ticket",
        {STREAM % "messages": grows(1000), 'varde_stream_messages_total{fate="rejected",reason="bad_id"}': grows(20)},
        {
            STREAM % "messages": grows(1000),
            'varde_stream_messages_total{fate="rejected",reason="bad_id"}': grows(5),
            'varde_stream_messages_total{fate="ignored",reason="robot"}': grows(500),
        },
    ),
    Case("DeadLettersWait", "ticket", {WAITING: stays(10_001)}, {WAITING: stays(9_999)}, at=90),
    Case(
        "Flooded",
        "ticket",
        {STREAM % "messages": grows(1000), STREAM % "flooded": grows(60)},
        {STREAM % "messages": grows(1000), STREAM % "flooded": grows(40)},
    ),
    Case("ItemsRefused", "page", {STREAM % "items_refused": grows(1)}, {STREAM % "items_refused": stays(100)}),
    Case(
        "CatalogueChangesRefused",
        "ticket",
        {STREAM % "catalogue_rejected:bad_price": grows(1)},
        {STREAM % "catalogue_changes": grows(100)},
    ),
]

REST = [
    Case(
        "NightNotWritten",
        "ticket",
        {"varde_reconciled_until_seconds": stays(0)},
        {"varde_reconciled_until_seconds": stays(2 * 86_400)},
        at=int(3.6 * DAY) // 30 * 30,
        step=30,
    ),
    Case(
        "NightNotWritten",
        "page",
        {"varde_reconciled_until_seconds": stays(0)},
        {"varde_reconciled_until_seconds": stays(86_400)},
        at=int(10.2 * DAY) // 30 * 30,
        step=30,
    ),
    Case(
        "NightNotRun",
        "ticket",
        {"varde_nightly_ended_seconds": stays(0)},
        {"varde_nightly_ended_seconds": stays(7_200)},
        at=37 * 60,
        step=30,
    ),
    Case("NightRefused", "ticket", {"varde_nightly_refusals": stays(1)}, {"varde_nightly_refusals": stays(0)}),
    Case(
        "DriftHigh",
        "ticket",
        {'varde_drift_ratio{of="also_viewed"}': stays(0.02)},
        {'varde_drift_ratio{of="also_viewed"}': stays(0.009)},
    ),
    Case(
        "DriftHigh",
        "page",
        {'varde_drift_ratio{of="also_viewed"}': stays(0.2)},
        {'varde_drift_ratio{of="also_viewed"}': stays(0.09)},
    ),
    Case(
        "ExposuresDropped",
        "page",
        share(SENT % ("sent", ""), SENT % ("dropped", "full"), 0.2),
        {**share(SENT % ("sent", ""), SENT % ("dropped", "full"), 0.05), SENT % ("repeated", ""): grows(1000)},
    ),
    Case(
        "ExposuresWait",
        "ticket",
        {'varde_exposures_waiting{process="0"}': stays(5001)},
        {'varde_exposures_waiting{process="0"}': stays(4999)},
    ),
    Case(
        "ExperimentFailures",
        "ticket",
        {'varde_experiment_failures_total{kind="draft"}': grows(1)},
        {'varde_experiment_failures_total{kind="draft"}': stays(4)},
    ),
    Case(
        "StickyWritesLost",
        "ticket",
        share('varde_sticky_writes_total{result="written"}', 'varde_sticky_writes_total{result="failed"}', 2),
        share('varde_sticky_writes_total{result="written"}', 'varde_sticky_writes_total{result="failed"}', 0.5),
    ),
    Case(
        "CollectorFails",
        "page",
        share('varde_collector_calls_total{result="taken"}', 'varde_collector_calls_total{result="failed"}', 6),
        share('varde_collector_calls_total{result="taken"}', 'varde_collector_calls_total{result="failed"}', 4),
    ),
    Case(
        "CollectorFull",
        "ticket",
        {'varde_collector_waiting{process="0"}': stays(10_001)},
        {'varde_collector_waiting{process="0"}': stays(9_999)},
    ),
    Case(
        "CollectorLeavesOut",
        "ticket",
        share(TAKEN % ("taken", ""), TAKEN % ("dropped", "too_large"), 2),
        share(TAKEN % ("taken", ""), TAKEN % ("dropped", "too_large"), 0.5),
    ),
    Case(
        "CollectorRefuses",
        "ticket",
        {'varde_collector_refused_total{source="collect",code="unknown_write_key"}': grows(9)},
        {'varde_collector_refused_total{source="collect",code="unknown_write_key"}': grows(3)},
    ),
    Case(
        "EmailTooFew",
        "page",
        share(MAIL % "personal", MAIL % "too_few", 2),
        share(MAIL % "personal", MAIL % "too_few", 0.5),
    ),
    Case(
        "EmailFallbackHigh",
        "ticket",
        share(MAIL % "personal", MAIL % "fallback", 60),
        share(MAIL % "personal", MAIL % "fallback", 40),
    ),
    Case(
        "EmailSlotsFail",
        "ticket",
        share(SLOT % ("card", ""), SLOT % ("fallback", "timeout"), 3),
        share(SLOT % ("card", ""), SLOT % ("fallback", "expired"), 50),
    ),
    Case(
        "EmailClicksLost",
        "ticket",
        share(CLICK % ("sent", ""), CLICK % ("dropped", "full"), 3),
        share(CLICK % ("sent", ""), CLICK % ("uncounted", "robot"), 50),
    ),
    Case(
        "CardsFail",
        "ticket",
        share(CARD % "kept", CARD % "failed", 3),
        share(CARD % "kept", CARD % "without_picture", 50),
    ),
    Case(
        "CardPicturesFail",
        "ticket",
        {'varde_card_picture_failures_total{reason="timeout"}': grows(9)},
        {'varde_card_picture_failures_total{reason="timeout"}': grows(3)},
    ),
]

CASES = [*SLOS, *SERVER, *REDIS, *STREAMS, *REST]
