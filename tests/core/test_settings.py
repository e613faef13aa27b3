"""Settings: any environment gives settings or an error that names the variable, and secrets do not show."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from varde.events import Mapping
from varde.flood import Bounds
from varde.history import Limits, Signal
from varde.settings import PREFIX, Settings, SettingsError, from_env, option

VARIABLES = {PREFIX + field.name.upper(): field for field in fields(Settings)}
names = st.sampled_from(sorted(VARIABLES))
texts = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["", " ", ",", "=", "a=view", "llr", "nan", "inf", "1e400", "0x10", "٣", "9" * 5000, "info"]),
)
secrets = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=12, max_size=30)


def default_text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


@given(st.dictionaries(names, texts, max_size=4))
@example({"VARDE_HALF_LIFE_DAYS": "nan"})
def test_any_text_gives_settings_or_an_error_that_names_the_variable(environ: dict[str, str]) -> None:
    try:
        settings = from_env(environ)
    except SettingsError as error:
        name, colon, why = str(error).partition(": ")
        assert name in environ
        assert colon and why
        with pytest.raises(SettingsError, match=f"^{name}: "):
            from_env({name: environ[name]})  # it is at fault by itself
    else:
        untouched = {field.name for variable, field in VARIABLES.items() if variable not in environ}
        assert all(getattr(settings, name) == getattr(Settings(), name) for name in untouched)
        assert from_env(environ) == settings
        assert 1 <= settings.cap <= 1000
        assert 3 <= settings.half_life_days <= 365
        assert settings.rankings and settings.item_keys and settings.host


@given(st.text(min_size=1).filter(lambda name: PREFIX + name not in VARIABLES), texts)
def test_an_unknown_variable_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_env({PREFIX + name: text, "PATH": "/bin"})
    assert str(caught.value).startswith(f"{PREFIX}{name}: no such setting")


@given(st.dictionaries(st.text().filter(lambda name: not name.startswith(PREFIX)), st.text()))
def test_other_variables_are_left_alone(environ: dict[str, str]) -> None:
    assert from_env(environ) == Settings()


def test_every_default_but_the_empty_ones_may_be_given() -> None:
    """So a default is within the bounds of its own setting, and reads as itself."""
    environ = {variable: default_text(field.default) for variable, field in VARIABLES.items() if field.default != ()}
    assert from_env(environ) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("VARDE_EVENTS", "Trail Opened=view, Kit=Ordered=purchase", (("Trail Opened", 0), ("Kit=Ordered", 2))),
        ("VARDE_EVENTS", "Put In=CART,", (("Put In", Signal.CART),)),
        ("VARDE_ITEM_KEYS", "sku , id", ("sku", "id")),
        ("VARDE_RANKINGS", "count", ("count",)),
        ("VARDE_RANKINGS", "llr^0.50, cosine@50^0.3,cosine@20,cosine", ("llr^0.5", "cosine@50^0.3", "cosine")),
        ("VARDE_CONFIG", "/etc/varde.toml", "/etc/varde.toml"),
        ("VARDE_LOG_LEVEL", "debug", "DEBUG"),
        ("VARDE_HALF_LIFE_DAYS", "3.5", 3.5),
        ("VARDE_PORT", "0", 0),
        ("VARDE_REDIS_URL", "unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("VARDE_REDIS_URL", "redis://[::1]:6379/15?socket_timeout=2", "redis://[::1]:6379/15?socket_timeout=2"),
        ("VARDE_EVENTS", "Tür 1=view", (("Tür 1", Signal.VIEW),)),
        ("VARDE_ID_SECRET", "ä" * 32, "ä" * 32),
        ("VARDE_HOST", "::1", "::1"),
        ("VARDE_CONSENT_CATEGORIES", "Analytics, Ad Tech,", ("Analytics", "Ad Tech")),
        ("VARDE_CONSENT_CATEGORIES", "", ()),
        ("VARDE_TOPIC", "projects/p/topics/t", "projects/p/topics/t"),
    ],
)
def test_what_is_read(variable: str, text: str, value: Any) -> None:
    assert getattr(from_env({variable: text}), VARIABLES[variable].name) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("VARDE_EVENTS", "Trail Opened"),
        ("VARDE_EVENTS", "=view"),
        ("VARDE_EVENTS", "Trail Opened=look"),
        ("VARDE_ITEM_KEYS", ""),
        ("VARDE_ITEM_KEYS", "product id"),
        ("VARDE_RANKINGS", "lift"),
        ("VARDE_RANKINGS", "llr@50"),
        ("VARDE_RANKINGS", "llr,count^9"),
        ("VARDE_RANKINGS", ","),
        ("VARDE_LOG_LEVEL", "LOUD"),
        ("VARDE_CAP", "0"),
        ("VARDE_CAP", "1001"),
        ("VARDE_CAP", "64.0"),
        ("VARDE_WINDOW_DAYS", "-1"),
        ("VARDE_HALF_LIFE_DAYS", "inf"),
        ("VARDE_PORT", "65536"),
        ("VARDE_HOST", ""),
        ("VARDE_HOST", "a b"),
        ("VARDE_HALF_LIFE_DAYS", "2.9"),
        ("VARDE_HOST", "a..b"),
        ("VARDE_EVENTS", "!!!=view"),
        ("VARDE_EVENTS", "見た=view"),
        ("VARDE_EVENTS", " =view"),
        ("VARDE_ID_SECRET", "x" * 65),
        ("VARDE_ID_SECRET", "ä" * 33),
        ("VARDE_ID_SECRET", "\udc80"),
        ("VARDE_REDIS_URL", "localhost:6379"),
        ("VARDE_REDIS_URL", "redis://localhost:abc"),
        ("VARDE_REDIS_URL", "redis://localhost:99999"),
        ("VARDE_REDIS_URL", "redis://localhost:6379/abc"),
        ("VARDE_REDIS_URL", "redis://localhost:6379/0/1"),
        ("VARDE_REDIS_URL", "redis://localhost:6379/-1"),
        ("VARDE_REDIS_URL", "redis://localhost?db=-1"),
        ("VARDE_REDIS_URL", "redis://localhost?colour=blue"),
        ("VARDE_REDIS_URL", "redis://localhost?socket_timeout=soon"),
        ("VARDE_REDIS_URL", "rediss://localhost?ssl_cert_reqs=perhaps"),
        ("VARDE_REDIS_URL", "redis://[::1/0"),
        ("VARDE_REDIS_URL", "unix://"),
        ("VARDE_cap", "64"),
        ("VARDE_CONSENT_DEFAULT", "yes"),
        ("VARDE_CONSENT_DEFAULT", "Granted"),
        ("VARDE_ROBOTS", ""),
        ("VARDE_FLOOD_EVENTS", "9"),
        ("VARDE_FLOOD_ITEMS", "0"),
        ("VARDE_TOPIC", "projects/p/subscriptions/s"),
        ("VARDE_ADMIN_KEY", "x" * 15),
        ("VARDE_ADMIN_KEY", "a key of many words"),
    ],
)
def test_what_is_refused(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        from_env({variable: text})


def test_limits_and_mapping_come_from_the_settings() -> None:
    settings = from_env(
        {"VARDE_CAP": "7", "VARDE_WINDOW_DAYS": "30", "VARDE_ITEM_KEYS": "sku", "VARDE_EVENTS": "A=view"}
    )
    assert settings.limits == Limits(7, 30)
    assert settings.mapping.item_keys == ("sku",)
    assert settings.mapping.custom_events == (("A", Signal.VIEW),)


def test_whom_the_shop_counts_comes_from_the_settings() -> None:
    settings = from_env(
        {
            "VARDE_CONSENT_CATEGORIES": "Analytics",
            "VARDE_CONSENT_DEFAULT": "denied",
            "VARDE_ROBOTS": "count",
            "VARDE_FLOOD_EVENTS": "20",
            "VARDE_FLOOD_ITEMS": "10",
        }
    )
    assert (settings.mapping.consent, settings.mapping.consent_default) == (("Analytics",), False)
    assert settings.mapping.robots
    assert settings.flood_bounds == Bounds(events=20, items=10)
    assert Settings().mapping == Mapping()
    assert Settings().flood_bounds == Bounds()


@given(
    secrets,
    secrets,
    st.sampled_from(
        ["redis://:{}@h:1/0", "rediss://user:{}@h", "redis://u:a@{}@h/1", "unix://u:{}@/s", "redis://h/0?password={}"]
    ),
)
def test_secrets_do_not_show(secret: str, password: str, form: str) -> None:
    settings = from_env({"VARDE_ID_SECRET": secret, "VARDE_REDIS_URL": form.format(password)})
    for text in (repr(settings), str(settings), f"{settings}", f"{[settings]!r}"):
        assert secret not in text
        assert password not in text
    assert settings.id_secret == secret
    assert password in settings.redis_url


@pytest.mark.parametrize("url", ["redis://:{}#x@h/0", "redis://:1/{}@h/0", "redis://u:{}@h:port/0", "redis://h/{}"])
def test_a_refused_address_does_not_show_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_env({"VARDE_REDIS_URL": url.format("letmein")})
    assert "letmein" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_option_has_the_bounds_of_its_setting() -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--port", type=option("port"))
    assert parser.parse_args(["--port", "0"]).port == 0
    with pytest.raises(argparse.ArgumentError, match=r"--port: must be between 0 and 65535, not 65536"):
        parser.parse_args(["--port", "65536"])


def test_what_is_no_secret_shows() -> None:
    settings = Settings(redis_url="redis://:hidden@redis.internal:6379/0?password=hidden")
    assert "redis_url='redis://…@redis.internal:6379/0?…'" in repr(settings)
    assert "id_secret='not set'" in repr(settings)
    assert "cap=64" in repr(settings)
    assert "redis_url='unix:///run/redis.sock'" in repr(Settings(redis_url="unix:///run/redis.sock"))
