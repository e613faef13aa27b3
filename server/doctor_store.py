"""What `varde doctor` makes of what it has read of Redis. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from varde import figures, keys, progress
from varde.history import DAY_MS
from varde.settings import Settings

from .doctor_findings import Finding, Status, ok, problem, unknown, warning
from .doctor_redis import Kept, Node

OLDEST = (6, 2)
FULL, NEARLY_FULL = 0.9, 0.75
"""Parts of a bound: of Redis' memory, of VARDE_MAX_ITEMS."""
SKEW_MS, BAD_SKEW_MS = 1_000.0, 30_000.0
REJECTED = 0.05
"""Part of all messages; as `varde reconcile` refuses a night by."""
LATE_DAYS = 3
"""The warehouse lags by up to two days (docs/nightly.md), and a night may fail."""
MB = 1_000_000


def of_nodes(nodes: Sequence[Node], settings: Settings) -> list[Finding]:
    """Everything about the servers themselves."""
    judges: list[Callable[[Node], Finding]] = [
        lambda node: ok("redis", f"{node.name} answers in {node.answered_ms:.1f} ms"),
        _version,
        lambda node: _mode(node, settings),
        _role,
        _memory,
        _policy,
        _appendonly,
        _writes,
        _clock,
    ]
    return [found for judge in judges for found in _of_all(nodes, judge)]


def _of_all(nodes: Sequence[Node], judge: Callable[[Node], Finding]) -> list[Finding]:
    """One finding when all are well, else one for each node that is not."""
    found = [judge(node) for node in nodes]
    if len(nodes) == 1:
        return found
    bad = [
        Finding(one.check, one.status, f"{node.name}: {one.found}", one.fix)
        for node, one in zip(nodes, found, strict=True)
        if one.status is not Status.OK
    ]
    return bad or [ok(found[0].check, f"{len(nodes)} nodes, the first: {found[0].found}")]


def _version(node: Node) -> Finding:
    shown = f"{node.kind} {'.'.join(map(str, node.version))}"
    if node.kind == "Redis" and node.version < OLDEST:
        return problem("redis-version", shown, "upgrade to Redis 6.2 or newer, or Valkey")
    return ok("redis-version", shown)


def _mode(node: Node, settings: Settings) -> Finding:
    if (node.mode == "cluster") == settings.clustered:
        return ok("redis-mode", node.mode)
    fix = f"set VARDE_REDIS_CLUSTER={'yes' if node.mode == 'cluster' else 'no'}, everywhere"
    return problem("redis-mode", f"the server is {node.mode}, VARDE_REDIS_CLUSTER is {settings.redis_cluster}", fix)


def _role(node: Node) -> Finding:
    if node.role == "master":
        return ok("redis-role", f"takes writes, {node.replicas} replicas")
    return problem("redis-role", f"is a {node.role}, which takes no writes", "let VARDE_REDIS_URL name the primary")


def _memory(node: Node) -> Finding:
    if not node.bound:
        fix = "CONFIG SET maxmemory BYTES, below the machine's memory; `varde capacity` says how much is needed"
        return warning("maxmemory", f"{node.used / MB:,.0f} MB used, without a bound", fix)
    part = node.used / node.bound
    shown = f"{node.used / MB:,.1f} of {node.bound / MB:,.1f} MB used ({part:.0%})"
    fix = "raise maxmemory, or the instance; see `varde capacity` and docs/runbook.md#redismemoryhigh"
    if part >= FULL:
        return problem("maxmemory", f"{shown}; a full Redis refuses every write", fix)
    return warning("maxmemory", shown, fix) if part >= NEARLY_FULL else ok("maxmemory", shown)


def _policy(node: Node) -> Finding:
    if node.policy == "noeviction":
        return ok("maxmemory-policy", node.policy)
    fix = "CONFIG SET maxmemory-policy noeviction, and in its configuration; then `varde reconcile --apply`"
    return problem("maxmemory-policy", f"{node.policy or 'not told'}: an evicted hash is a lost count", fix)


def _appendonly(node: Node) -> Finding:
    if node.appendonly:
        return ok("appendonly", "yes")
    fix = "CONFIG SET appendonly yes, and in its configuration"
    if node.snapshots or node.replicas:
        kind = "snapshots" if node.snapshots else "a replica"
        return warning("appendonly", f"no, only {kind}: the newest counts go when it is killed", fix)
    return problem("appendonly", "no, and neither snapshots nor a replica: all counts go when it ends", fix)


def _writes(node: Node) -> Finding:
    if not node.writes:
        return ok("writes", "are taken")
    return problem("writes", f"may be refused: {node.writes}", "make room on its disk, and see its log")


def _clock(node: Node) -> Finding:
    """What certainly is a difference: half of the time that the question took may be one way's alone."""
    certain = max(0.0, abs(node.behind_ms) - node.unsure_ms)
    way = "behind" if node.behind_ms > 0 else "ahead of"
    shown = f"Redis' clock is {abs(node.behind_ms):,.0f} ± {node.unsure_ms:,.0f} ms {way} this machine's"
    fix = "let NTP set both clocks; times of events are clamped to the clocks of those who count them"
    if certain >= BAD_SKEW_MS:
        return problem("clock", shown, fix)
    return warning("clock", shown, fix) if certain >= SKEW_MS else ok("clock", shown)


def of_kept(kept: Kept, settings: Settings, now_ms: int) -> list[Finding]:
    """Everything about what Varde keeps there."""
    return [_schema(kept), _items(kept, settings), *_stream(kept), _reconcile(kept, settings, now_ms)]


def _schema(kept: Kept) -> Finding:
    others = [version for version in kept.versions if version != keys.VERSION]
    if others:
        return _other_keys(kept, others)
    noted = kept.schema
    if why := noted.refusal():
        what, _, fix = why.partition(": ")
        return problem("schema", what, fix)
    if noted.empty:
        return ok("schema", f"nothing there yet; this program writes version {keys.SCHEMA}")
    return ok("schema", f"version {noted.has()}{'' if noted.version else ', not noted yet'}")


def _other_keys(kept: Kept, others: Sequence[int]) -> Finding:
    shown = f"keys of version {', '.join(map(str, others))}, this program has {keys.VERSION}"
    if max(others) > keys.VERSION:
        return problem("schema", shown, "install the version of Varde that wrote them, or the newest, everywhere")
    if keys.VERSION in kept.versions:
        return warning("schema", shown, "delete the old keys when no program reads them any more")
    return problem("schema", shown, "fill the new ones: `varde reconcile --apply`, `varde seeds`, then the stream")


def _items(kept: Kept, settings: Settings) -> Finding:
    bound = -(-settings.max_items // keys.SHARDS)
    part = kept.items / bound
    shown = f"the fullest shard has {kept.items:,} of {bound:,} item ids ({part:.0%})"
    fix = "raise VARDE_MAX_ITEMS everywhere; if a feed invents ids, mend VARDE_ITEM_KEYS, empty Redis and fill it anew"
    if part >= 1 or kept.stats.get("items_refused"):
        return problem("items", f"{shown}; items were refused: {kept.stats.get('items_refused', 0):,}", fix)
    return warning("items", shown, fix) if part >= NEARLY_FULL else ok("items", shown)


def _stream(kept: Kept) -> list[Finding]:
    messages, rejected = figures.messages(kept.stats), figures.rejected(kept.stats)
    if not messages:
        fix = "start `varde stream`, and let Segment's destination and the subscription name the same topic"
        return [warning("stream", "has never read a message", fix), unknown("dead-letters", "no messages yet")]
    waiting = progress.under_way(kept.stats)
    stream = ok("stream", f"has read {messages:,} messages; {waiting:,} elements between its steps at this moment")
    part = rejected / messages
    shown = f"{rejected:,} of {messages:,} messages since Redis was empty ({part:.2%})"
    if part < REJECTED:
        return [stream, ok("dead-letters", shown)]
    reasons = sorted((name for name in kept.stats if name.startswith(figures.REJECTED)), key=lambda n: -kept.stats[n])
    most = ", ".join(f"{name.removeprefix(figures.REJECTED)} {kept.stats[name]:,}" for name in reasons[:3])
    return [stream, warning("dead-letters", f"{shown}: {most}", "docs/events.md#reasons says what each one means")]


def _reconcile(kept: Kept, settings: Settings, now_ms: int) -> Finding:
    if kept.under_way and not kept.locked:
        return warning("reconcile", "a run was interrupted", "run it again: `varde reconcile … --apply --resume`")
    if kept.reconciled is None:
        return warning("reconcile", "no night was ever written", "schedule `varde reconcile … --apply` daily")
    days = now_ms / DAY_MS - kept.reconciled.day
    shown = f"written up to {days:.1f} days ago{', a run is under way' if kept.locked else ''}"
    fix = "run `varde reconcile …` by hand; its last lines say what it refuses (docs/nightly.md#what-is-refused)"
    if days >= settings.live_days:
        lost = f"{shown}: differences of days that no night has counted are gone after {settings.live_days}"
        return problem("reconcile", lost, fix)
    return warning("reconcile", shown, fix) if days >= LATE_DAYS else ok("reconcile", shown)
