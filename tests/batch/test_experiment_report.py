"""`varde report` and `varde experiment` from the command line, on a DuckDB file of simulated shoppers."""

from __future__ import annotations

import math
import random
import re
import stat
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde import cli, config
from varde.batch import cost, experiment_command, experiment_report, nightly, stopping
from varde.batch.exposures_loader import ExposureLoader
from varde.batch.loader import Loader
from varde.batch.stopping import StopError
from varde.batch.verdict import Kind
from varde.batch.warehouse import AS_NAMED, Names, Parameters, UnavailableError, queries
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.events import Mapping
from varde.history import DAY_MS, Limits
from varde.settings import Settings

from .trials import FIRST, RANKINGS, text

DAYS, VISITORS = 5, 900
AS_OF = (FIRST + DAYS) * DAY_MS - 1
RATES = {"control": 0.35, "cosine": 0.7}


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def visits() -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """An exposure and what its visitor did: each is shown one list, and clicks at most one of its items."""
    rng = random.Random(7)
    for n in range(VISITORS):
        variation = ("control", "cosine")[n % 2]
        at = (FIRST + n * DAYS // VISITORS) * DAY_MS + n
        exposure = {
            "exposure_id": f"e{n}",
            "list_id": f"l{n}",
            "experiment": "pdp",
            "variation": variation,
            "bucket_version": 1,
            "mode": "ab",
            "unit_kind": "aid",
            "unit": f"a{n}",
            "user_id": None,
            "anonymous_id": f"a{n}",
            "forced": n % 100 == 99,
            "placement": "default",
            "route": "/v1/similar/{item}",
            "request_id": f"r{n}",
            "seeds": ["s"],
            "items": [{"item": f"i{m}", "position": m + 1, "rung": "pairs", "team": None} for m in range(4)],
            "ranking": "llr",
            "relation": "also_viewed",
            "rung": "pairs",
            "stale": False,
            "latency_ms": 4.0,
            "campaign": None,
            "send_id": None,
            "robot": n % 100 == 98,
            "served_at": iso(at),
        }
        deeds = []
        if rng.random() < RATES[variation]:
            clicked = {"product_id": "i1", "request_id": f"r{n}"}
            deeds.append({"event": "Product Clicked", "properties": clicked, "timestamp": at + 1000})
        yield exposure, [{"type": "track", "anonymousId": f"a{n}", "messageId": f"m{n}"} | deed for deed in deeds]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with warehouse.duckdb and shop.toml."""
    folder = tmp_path_factory.mktemp("experiment")
    (folder / "shop.toml").write_text(text(f"planned_units = {VISITORS}\nguardrails = ['fallback_share']"))
    with DuckDBWarehouse(folder / "warehouse.duckdb") as warehouse:
        loader, exposures = Loader(warehouse), ExposureLoader(warehouse)
        for exposure, deeds in visits():
            for _ in range(2):  # everything comes twice
                exposures.add(orjson.dumps(exposure))
                for deed in deeds:
                    loader.add(orjson.dumps(deed), AS_OF)
        loader.flush()
        exposures.flush()
    return folder


@pytest.fixture
def shop(world: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration file, configured."""
    monkeypatch.setenv("VARDE_CONFIG", str(world / "shop.toml"))
    return world / "shop.toml"


def report(*words: str, world: Path) -> int:
    return experiment_report.command(["pdp", "--warehouse", str(world / "warehouse.duckdb"), *words])


@pytest.fixture(scope="module")
def figures(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], str]:
    """What the report of the world says on the terminal, as its last line, and as a page."""
    with pytest.MonkeyPatch.context() as patched, pytest.MonkeyPatch.context() as out:
        patched.setenv("VARDE_CONFIG", str(world / "shop.toml"))
        said: list[str] = []
        out.setattr("sys.stdout.write", said.append)
        page = tmp_path_factory.mktemp("page") / "report.html"
        assert report("--as-of", iso(AS_OF), "--html", str(page), world=world) == 0
    lines = "".join(said).splitlines()
    return "\n".join(lines[:-1]), orjson.loads(lines[-1]), page.read_text("utf-8")


def test_the_better_ranking_wins_and_the_figures_are_those_of_the_visits(
    figures: tuple[str, dict[str, Any], str],
) -> None:
    terminal, found, _ = figures
    counted = [(one, deeds) for one, deeds in visits() if not one["forced"] and not one["robot"]]
    clicks, units = {"control": 0, "cosine": 0}, {"control": 0, "cosine": 0}
    for one, deeds in counted:
        units[one["variation"]] += 1
        clicks[one["variation"]] += len(deeds)
    assert found["units"] == units
    metric = found["metrics"][0]
    assert (metric["outcome"], metric["role"]) == ("clicks_per_unit", "decision")
    (one,) = metric["compared"]
    assert metric["baseline"] == pytest.approx(clicks["control"] / units["control"])
    assert one["value"] == pytest.approx(clicks["cosine"] / units["cosine"])
    assert one["estimate"]["lift"] == pytest.approx(one["value"] / metric["baseline"] - 1)
    assert found["verdict"]["kind"] == "wins"
    assert found["verdict"]["variation"] == "cosine"
    assert terminal.startswith("cosine wins: +")
    assert [look["day"] for look in one["looks"]] == list(range(FIRST, FIRST + DAYS))
    assert found["quality"]["faults"] == {"forced": 18, "repeated": len(counted), "robot": 18}
    assert found["quality"]["srm_p"] > 0.9


def leaves(value: Any) -> Iterator[float | str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    elif isinstance(value, int | float | str) and not isinstance(value, bool):
        yield value


def test_the_table_has_a_row_for_each_metric(figures: tuple[str, dict[str, Any], str]) -> None:
    terminal, found, _ = figures
    for metric in found["metrics"]:
        assert metric["outcome"].replace("_", " ").replace("per unit", "per visitor") in terminal
    assert "\x1b" not in terminal


def test_a_report_may_be_made_again_and_the_file_is_replaced_whole(shop: Path, world: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("old")
    for _ in range(2):
        assert report("--as-of", iso(AS_OF), "--html", str(page), world=world) == 0
    assert page.read_text("utf-8").endswith("</body></html>\n")
    assert list(tmp_path.iterdir()) == [page]


def test_the_newest_whole_day_is_the_default(shop: Path, world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(world=world) == 0
    found = orjson.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["as_of"] + 1) % DAY_MS == 0
    assert found["as_of"] <= AS_OF


# Exit codes


def test_an_unknown_experiment_is_bad_use_and_names_the_known_ones(
    shop: Path, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", "pdq", "--warehouse", str(world / "warehouse.duckdb")]) == 2
    assert capsys.readouterr().err == "varde report: there is no experiment 'pdq'; known: pdp\n"


def test_without_a_configuration_there_is_no_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "pdp", "--warehouse", "nowhere"]) == 2
    assert "VARDE_CONFIG: names no file" in capsys.readouterr().err


def test_a_broken_configuration_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.toml").write_text("[experiments.pdp]\nunit = 'household'\n")
    monkeypatch.setenv("VARDE_CONFIG", str(tmp_path / "shop.toml"))
    for words in (["report", "pdp", "--warehouse", "w"], ["experiment", "list"], ["experiment", "stop", "pdp"]):
        assert cli.main(words) == 2
        assert f"{tmp_path / 'shop.toml'}: line 2: experiments.pdp.unit: " in capsys.readouterr().err


def test_a_warehouse_that_is_not_there(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert experiment_report.command(["pdp", "--warehouse", "/nowhere/w.duckdb"]) == 2
    assert "varde report: /nowhere/w.duckdb: no such file" in capsys.readouterr().err


def test_a_warehouse_that_is_in_use_may_answer_later(
    shop: Path, world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def busy(*_: object) -> None:
        msg = "in use"
        raise UnavailableError(msg)

    monkeypatch.setattr("varde.batch.experiment_report.measure", busy)
    assert report("--as-of", iso(AS_OF), world=world) == 4
    assert capsys.readouterr().err.endswith("in use; run it again later\n")


def test_a_page_that_cannot_be_written(shop: Path, world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("--as-of", iso(AS_OF), "--html", "/nowhere/r.html", world=world) == 2
    assert "/nowhere/r.html: No such file" in capsys.readouterr().err


# plan and list


def test_list_has_states_shares_and_metrics(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert experiment_command.command(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"pdp +running +\S +\S +control 50 %, cosine 50 % +clicks_per_unit +100 %", lines[1])
    found = orjson.loads(lines[-1])
    assert found["pdp"]["state"] == "running"
    assert [one["key"] for one in found["pdp"]["variations"]] == ["control", "cosine"]


def test_list_writes_the_keys_of_those_that_run(
    tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "running.txt"
    assert experiment_command.command(["list", "--running", str(out)]) == 0
    assert out.read_text() == "pdp\n"
    text = shop.read_text()
    (tmp_path / "over.toml").write_text(text.replace("[experiments.pdp]", '[experiments.pdp]\nstopped = "cosine"', 1))
    monkeypatch.setenv("VARDE_CONFIG", str(tmp_path / "over.toml"))
    assert experiment_command.command(["list", "--running", str(out)]) == 0
    assert out.read_text() == "", "stopped is not running"
    assert experiment_command.command(["list", "--running", "/nowhere/x"]) == 4
    assert "/nowhere/x: No such file" in capsys.readouterr().err


def plan(*words: str, out: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert experiment_command.command(["plan", *words]) == 0
    found: dict[str, Any] = orjson.loads(out.readouterr().out.splitlines()[-1])
    return found


def test_plan_says_units_and_days(capsys: pytest.CaptureFixture[str]) -> None:
    found = plan("--baseline", "0.05", "--lift", "10%", "--per-day", "2000", out=capsys)
    # Two proportions: (z of .975 + z of .8)² · (p(1 - p)/p² of each arm, times growth² for the first) / lift².
    other = 0.05 * 1.1
    spread = (other * (1 - other) + 0.05 * 0.95 * 1.1**2) / 0.05**2
    assert found["fixed"]["units"][0] == pytest.approx((1.959964 + 0.841621) ** 2 * spread / 0.1**2, rel=0.001)
    assert found["fixed"]["total"] < found["sequential"]["total"]
    for rule in ("fixed", "sequential"):
        assert found[rule]["days"] == math.ceil(found[rule]["total"] / 2000)


def test_plan_of_a_mean_scales_with_its_spread(capsys: pytest.CaptureFixture[str]) -> None:
    narrow = plan("--baseline", "4", "--sd", "10", "--lift", "0.05", out=capsys)
    wide = plan("--baseline", "4", "--sd", "20", "--lift", "0.05", out=capsys)
    assert wide["sequential"]["total"] == pytest.approx(4 * narrow["sequential"]["total"], rel=0.001)


def test_plan_takes_the_baseline_from_an_experiment(
    shop: Path, world: Path, figures: tuple[str, dict[str, Any], str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--from", "pdp", "--warehouse", str(world / "warehouse.duckdb"), "--as-of", iso(AS_OF), "--lift", "0.1"]
    found = plan(*words, out=capsys)
    assert found["baseline"] == pytest.approx(figures[1]["metrics"][0]["baseline"])
    assert found["per_day"] == pytest.approx(sum(figures[1]["units"].values()) / DAYS)


@pytest.mark.parametrize(
    "words",
    [
        ["--lift", "0.1"],
        ["--lift", "0.1", "--baseline", "0.1", "--from", "pdp"],
        ["--lift", "0.1", "--from", "pdp"],
        ["--lift", "0.1", "--baseline", "0"],
        ["--lift", "0.1", "--baseline", "0.95"],
        ["--lift", "0.1", "--baseline", "0.1", "--variations", "1"],
        ["--lift", "0.1", "--baseline", "0.1", "--power", "1"],
        ["--lift", "0.1", "--baseline", "0.1", "--alpha", "0"],
        ["--lift", "0.1", "--baseline", "nan"],
    ],
)
def test_plan_refuses_what_has_no_answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert experiment_command.command(["plan", *words]) == 2
    assert capsys.readouterr().err.startswith("varde experiment plan: ")


@pytest.mark.parametrize("words", [[], ["plan", "--lift", "much", "--baseline", "1"], ["stop"], ["start", "pdp"]])
def test_bad_use_of_experiment(words: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        experiment_command.command(words)
    assert left.value.code == 2


# stop

NOW = 1_790_000_000_000
NOW_TEXT = "2026-09-21T14:13:20Z"
SHOP = """# The shop's own remarks stay.
static = [ "b",
           "a" ]   # as they are

[experiments.first]
unit = "aid"   # browsers
[[experiments.first.variations]]
key = "control"
[[experiments.first.variations]]
key = "cosine"
ranking = "cosine"

[experiments . "second"] # a header may have a remark
end = 2027-01-01 # then
stopped = ""\t # nobody yet = really
variations = [ { key = "x" }, { key = "y" } ]
"""


def stop(text: str, key: str, winner: str | None = None) -> str:
    return stopping.stop(text, RANKINGS, key, winner, NOW)


def test_a_table_that_comes_after_its_own_parts_and_dotted_keys() -> None:
    parts = "[[experiments.x.variations]]\nkey = 'a'\n[[experiments.x.variations]]\nkey = 'b'\n[experiments.x] # own\n"
    assert stop(parts, "x", "a") == parts + 'stopped = "a"\n'
    dotted = 'experiments.x.variations = [{ key = "a" }, { key = "b" }]\nexperiments.x.stopped = ""\n'
    assert stop(dotted, "x", "a") == dotted.replace('""', '"a"')


def test_what_only_looks_like_the_table_is_not_touched() -> None:
    said = 'static = ["""\n[experiments.first]\n"""]\n' + SHOP.replace("static", "# static").replace(
        '           "a" ]', ""
    )
    with pytest.raises(StopError, match="do it by hand"):
        stop(said, "first", "cosine")


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("key", "winner", "before", "after"),
    [
        ("first", "cosine", "[experiments.first]\n", '[experiments.first]\nstopped = "cosine"\n'),
        ("first", None, "[experiments.first]\n", f"[experiments.first]\nend = {NOW_TEXT}\n"),
        ("second", "y", 'stopped = ""\t', 'stopped = "y"\t'),
        ("second", None, "end = 2027-01-01 #", f"end = {NOW_TEXT} #"),
    ],
)
def test_stop_changes_one_line_and_nothing_else(
    key: str, winner: str | None, before: str, after: str, ending: str
) -> None:
    said = SHOP.replace("\n", ending)
    assert stop(said, key, winner) == said.replace(before.replace("\n", ending), after.replace("\n", ending))


def test_what_is_stopped_is_read_as_stopped() -> None:
    found = config.read(stop(SHOP, "first", "cosine"), RANKINGS).experiments
    assert found["first"].stopped == "cosine"
    ended = config.read(stop(SHOP, "second"), RANKINGS).experiments["second"]
    assert ended.end == NOW
    assert not ended.runs(NOW)


@pytest.mark.parametrize(
    ("said", "key", "winner", "why"),
    [
        (SHOP, "third", None, "there is no experiment 'third'; known: first, second"),
        (SHOP, "first", "dot", "it has no variation 'dot'; there are control, cosine"),
        (SHOP.replace("2027", "2020"), "second", None, "it is over already"),
        (SHOP.replace('stopped = ""', 'stopped = "y"'), "second", None, "it is over already"),
        (SHOP.replace('stopped = ""', 'stopped = "y"'), "second", "y", "it is stopped already, and everybody gets y"),
        (SHOP.replace("2027", "2029") + "start = 2028-01-01\n", "second", None, "it has not begun: take it out"),
        (
            'experiments = { x = { variations = [ { key = "a" }, { key = "b" } ] } }',
            "x",
            "a",
            'it has no table [experiments.x] of its own in the file: set stopped = "a" by hand',
        ),
        (
            '[experiments]\nx.variations = [ { key = "a" }, { key = "b" } ]\n',
            "x",
            "a",
            'it has no table [experiments.x] of its own in the file: set stopped = "a" by hand',
        ),
        (
            SHOP.replace('stopped = ""\t # nobody yet = really', 'stopped = """\n"""'.replace("\n", "\\\n")),
            "second",
            "x",
            "cannot be edited: do it by hand",
        ),
    ],
)
def test_stop_refuses_with_a_reason(said: str, key: str, winner: str | None, why: str) -> None:
    with pytest.raises(StopError) as refused:
        stop(said, key, winner)
    assert why in str(refused.value)


remarks = st.lists(st.sampled_from(["# é [experiments.pdp]", "", "   ", '\t# = "', "# '''"]), max_size=3)
sames = st.sampled_from(["stopped", "end", "metric", "seed"])


@given(
    st.lists(st.tuples(sames, remarks), unique_by=lambda one: one[0]), st.booleans(), st.sampled_from(["\n", "\r\n"])
)
def test_any_layout_keeps_all_its_other_lines(keys: list[tuple[str, list[str]]], winner: bool, ending: str) -> None:
    values = {"stopped": '""', "end": "2030-01-01T00:00:00+02:00", "metric": "'conversion'", "seed": '"a # b"'}
    lines = [line for name, before in keys for line in [*before, f"{name}={values[name]}#x"]]
    said = text("\n".join(lines)).replace("\n", ending)
    after = stop(said, "pdp", "control" if winner else None)
    old, new = said.split(ending), after.split(ending)
    changed = "stopped" if winner else "end"
    assert [line for line in new if not line.startswith(changed)] == [
        line for line in old if not line.startswith(changed)
    ]
    assert len([line for line in new if line.startswith(changed)]) == 1
    found = config.read(after, RANKINGS).experiments["pdp"]
    assert (found.stopped == "control") if winner else (found.end == NOW)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "real.toml"
    path.write_bytes(SHOP.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    (tmp_path / "shop.toml").symlink_to(path)
    monkeypatch.setenv("VARDE_CONFIG", str(tmp_path / "shop.toml"))
    return path


def test_stop_writes_the_file_and_keeps_its_mode_and_its_link(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert experiment_command.command(["stop", "first", "--winner", "cosine"], lambda: NOW) == 0
    assert orjson.loads(capsys.readouterr().out.splitlines()[-1])["winner"] == "cosine"
    assert b'[experiments.first]\r\nstopped = "cosine"\r\n' in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert (file.parent / "shop.toml").is_symlink()
    assert {path.name for path in file.parent.iterdir()} == {"real.toml", "shop.toml"}


def test_a_refusal_leaves_the_file_alone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = file.read_bytes(), file.stat().st_mtime_ns
    assert experiment_command.command(["stop", "first", "--winner", "dot"], lambda: NOW) == 2
    assert capsys.readouterr().err == "varde experiment: first: it has no variation 'dot'; there are control, cosine\n"
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_a_change_by_somebody_else_meanwhile_is_not_lost(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    edit = stopping.stop

    def slow(*given: Any) -> str:
        file.write_text("# somebody else\n")
        return edit(*given)

    monkeypatch.setattr(stopping, "stop", slow)
    assert experiment_command.command(["stop", "first"], lambda: NOW) == 2
    assert "somebody has changed it meanwhile" in capsys.readouterr().err
    assert file.read_text() == "# somebody else\n"


def test_a_file_that_cannot_be_written(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("varde.batch.seeds.os.fsync", full)
    before = file.read_bytes()
    assert experiment_command.command(["stop", "first"], lambda: NOW) == 4
    assert "No space left on device" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert {path.name for path in file.parent.iterdir()} == {"real.toml", "shop.toml"}


def test_the_settings_of_the_tests_are_the_defaults() -> None:
    assert set(RANKINGS) <= set(Settings().rankings)


DOC = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text(encoding="utf-8")


def test_the_last_line_is_documented(figures: tuple[str, dict[str, Any], str]) -> None:
    section = DOC.partition("### The last line")[2].partition("| exit code")[0]
    rows = re.findall(r"^\| (`.*?`) \| (.*) \|$", section, re.MULTILINE)
    named = {name: said for names, said in rows for name in re.findall(r"`(\w+)`", names)}
    found = figures[1]
    assert set(named) == set(found)
    one = found["metrics"][0]["compared"][0]
    within = {
        "verdict": set(found["verdict"]),
        "metrics": set(found["metrics"][0]) | set(one) - {"variation"} | set(one["estimate"]),
        "quality": set(found["quality"]) | set(found["quality"]["counts"]),
    }
    for name, keys in within.items():
        assert keys <= set(re.findall(r"`(\w+)`", named[name])), name


def test_verdicts_and_exit_codes_are_documented() -> None:
    section = DOC.partition("### The verdict")[2].partition("### The page")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(Kind)
    codes = DOC.partition("| exit code | of `varde report`")[2].partition("\n\n")[0]
    assert [int(code) for code in re.findall(r"^\| (\d) \|", codes, re.MULTILINE)] == sorted(
        {experiment_report.MADE, experiment_report.MISUSED, experiment_report.FAILED, experiment_command.FAILED}
    )


@pytest.mark.parametrize("newest", [False, True])
def test_every_query_of_a_report_is_estimated(
    newest: bool, world: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a report asks of a warehouse is in the estimate, and what a query needs to be asked about is given."""
    asked: Counter[str] = Counter()
    for name in ("query", "materialize"):
        plain = getattr(DuckDBWarehouse, name)

        def noted(
            self: DuckDBWarehouse, query: str, given: Parameters, names: Names = AS_NAMED, plain: Any = plain
        ) -> Any:
            asked[query] += 1
            return plain(self, query, given, names)

        monkeypatch.setattr(DuckDBWarehouse, name, noted)
    assert report(*([] if newest else ["--as-of", iso(AS_OF)]), world=world) == 0
    expected = Counter(cost.of_report(newest))
    assert asked <= expected
    assert {query for query in expected if query not in asked} <= {"deletes", "experiment_users"}  # nobody is erased
    sized = Sized()
    cost.estimate(sized, nightly.plan(AS_OF, Limits(), Mapping()), expected)
    assert sized.sizes.keys() == expected.keys()


class Sized:
    """A BigQuery that knows how much its queries read."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}

    def dry_run(self, name: str, parameters: Parameters) -> int:
        """Every parameter of the query must be given."""
        assert queries.parameters(queries.tree(name)) <= parameters.keys()
        self.sizes[name] = 1
        return 1
