"""The numbers of processes that share a port, and the lines that they write about themselves."""

import itertools
import logging

import orjson
from hypothesis import given
from hypothesis import strategies as st

from varde.server import collector_metrics
from varde.server.log_lines import JsonLines
from varde.server.metrics import COUNTERS, GAUGES, Metrics
from varde.server.snapshots import SILENT_S, Sample
from varde.server.state import counts, gauges

EVENTS = st.lists(
    st.tuples(st.sampled_from("012"), st.sampled_from(["answer", "failure", "refusal", "leave", "die"])), max_size=60
)


def value(text, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


@given(EVENTS)
def test_any_process_says_the_sum_and_deaths_lose_only_what_was_not_left(tmp_path_factory, events):
    """A model: what each has counted since it has last left its numbers is all that its death may take along."""
    folder = tmp_path_factory.mktemp("numbers")
    living = {place: Metrics(place, folder) for place in "012"}
    left = dict.fromkeys("012", 0)
    since = dict.fromkeys("012", 0)
    for place, event in events:
        if event == "answer":
            living[place].tally.add("/v1/similar/{item}", 200, "pairs", 0.001)
            since[place] += 1
        elif event == "failure":
            living[place].failures.labels("timeout").inc()
        elif event == "refusal":
            living[place].refused("erase", "rate_limited", "shop")
        elif event == "leave":
            living[place].leave()
            left[place], since[place] = left[place] + since[place], 0
        else:
            living[place], since[place] = Metrics(place, folder), 0
    for place in "012":
        living[place].leave()
    total = sum(left.values()) + sum(since.values())
    for metrics in living.values():
        assert value(metrics.exposition().decode(), "varde_http_requests_total") == total


def test_gauges_are_of_the_living(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("varde.server.snapshots.time.time", lambda: now[0])
    first, second = Metrics("0", tmp_path), Metrics("1", tmp_path)
    for metrics, n in ((first, 5.0), (second, 7.0)):
        metrics.gauges = lambda n=n: [Sample("varde_items", {"kind": "known"}, n)]
        metrics.tally.add("/healthz", 200, "", 0.001)
        metrics.leave()
    text = first.exposition().decode()
    assert 'varde_items{kind="known",process="0"} 5.0' in text
    assert 'varde_items{kind="known",process="1"} 7.0' in text
    now[0] += SILENT_S + 1
    text = first.exposition().decode()
    assert 'process="1"' not in text
    assert value(text, "varde_http_requests_total") == 2


def test_a_full_disk_costs_no_metrics_of_ones_own(tmp_path, caplog):
    folder = tmp_path / "gone"
    metrics = Metrics("0", folder)
    for _ in range(3):
        metrics.leave()
    assert [record.message for record in caplog.records].count(
        "metrics cannot be left for the other processes: No such file or directory"
    ) == 1
    metrics.tally.add("/healthz", 200, "", 0.001)
    assert value(metrics.exposition().decode(), "varde_http_requests_total") == 1


async def test_the_state_has_every_sample_that_is_announced(serve, settings):
    client = await serve(settings)
    from varde.server.parts import PARTS

    parts = client.app[PARTS]
    desk = parts.desk
    for _, path in itertools.product(range(3), ("/v1/similar/tent", "/v1/similar/mat")):
        await client.get(path)
    found = gauges(parts, desk)
    assert {sample.name for sample in found} <= set(GAUGES)
    assert {sample.name for sample in counts(parts, desk)} <= set(COUNTERS)
    elsewhere = {"varde_memory_age_seconds", *collector_metrics.GAUGES}
    assert set(GAUGES) - elsewhere <= {sample.name for sample in found}
    reads = {tuple(sample.labels.values()): sample.value for sample in counts(parts, desk) if sample.labels}
    assert reads["answers", "hit"] + reads["answers", "miss"] == 6
    assert reads["answers", "hit"] >= 1
    assert reads["answers", "miss"] >= 2
    parts.compared["rows"] = 0.0
    ages = {s.labels["part"]: s.value for s in gauges(parts, desk) if s.name == "varde_memory_age_seconds"}
    assert ages["rows"] > 0


def test_a_line_is_json_and_says_of_an_error_where_but_not_what():
    try:
        {}["jane"]
    except KeyError as error:
        record = logging.getLogger("varde.server").makeRecord(
            "varde.server", logging.ERROR, "f", 1, "request %s failed", ("r-1",), (KeyError, error, error.__traceback__)
        )
    line = orjson.loads(JsonLines().format(record))
    assert (line["level"], line["message"], line["error"]) == ("ERROR", "request r-1 failed", "KeyError")
    assert "test_snapshots.py" in line["trace"][0]
    assert "jane" not in str(line).replace("test_a_line_is_json", "")
