"""Robots by their user agents: real ones of browsers, apps, crawlers and libraries."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from varde import robots
from varde.events import Erasure, Interaction, Mapping, Rejected, parse

NOW = 1_772_359_200_000
_MOZILLA = "Mozilla/5.0"
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_IPHONE = f"{_MOZILLA} (iPhone; CPU iPhone OS 18_3 like Mac OS X) {_APPLE}"

PEOPLE = [
    f"{_MOZILLA} (X11; Linux x86_64) {_WEBKIT} Chrome/156.0.0.0 Safari/537.36",
    f"{_MOZILLA} (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/136.0.0.0 Safari/537.36 Edg/136.0.0.0",
    f"{_MOZILLA} (Windows NT 10.0; Win64; x64; rv:138.0) Gecko/20100101 Firefox/138.0",
    f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {_APPLE} Version/18.3 Safari/605.1.15",
    f"{_IPHONE} Version/18.3 Mobile/15E148 Safari/604.1",
    f"{_IPHONE} GSA/360.0.0 Mobile/15E148 Safari/604.1",
    f"{_IPHONE} Mobile/15E148 Instagram 370.0.0.0 (iPhone15,2; iOS 18_3; de_DE)",
    f"{_MOZILLA} (Linux; Android 15; SM-S931B) {_WEBKIT} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    f"{_MOZILLA} (Linux; Android 15; wv) {_WEBKIT} Version/4.0 Chrome/136.0.0.0 Mobile Safari/537.36 [FB_IAB/FB4A;]",
    # Apps and Segment's own libraries: they name themselves, and are no robots.
    "Shop/7.1 CFNetwork/1568.200.51 Darwin/24.1.0",
    "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8)",
    "analytics-python/2.3.4",
    "analytics-node/2.2.0",
]
ROBOTS = [
    f"{_MOZILLA} {_WEBKIT[:-1]}; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/141.0.0.0",
    f"{_MOZILLA} (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    f"{_MOZILLA} {_WEBKIT[:-1]}; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    f"{_MOZILLA} (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    f"{_MOZILLA} (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    f"{_MOZILLA} (X11; Linux x86_64) {_WEBKIT} HeadlessChrome/156.0.0.0 Safari/537.36",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "curl/8.5.0",
    "python-requests/2.32.3",
]


def parsed(agent: Any, mapping: Mapping = Mapping(), **changes: Any) -> Any:  # noqa: B008 - immutable
    message: dict[str, Any] = {
        "type": "track",
        "event": "Product Viewed",
        "userId": "u",
        "properties": {"product_id": "P1"},
    }
    message |= {"timestamp": NOW, "context": {"userAgent": agent}, **changes}
    return parse(orjson.dumps(message), NOW, mapping)


@pytest.mark.parametrize("agent", PEOPLE)
def test_people_are_no_robots(agent: str) -> None:
    assert not robots.is_robot(agent)
    assert isinstance(parsed(agent)[0], Interaction)


@pytest.mark.parametrize("agent", ROBOTS)
def test_robots_are_ignored_and_may_be_counted(agent: str) -> None:
    assert robots.is_robot(agent)
    rejected = parsed(agent)
    assert rejected == Rejected("robot", "context.userAgent")
    assert not rejected.dead_letter
    assert isinstance(parsed(agent, Mapping(robots=True))[0], Interaction)


@pytest.mark.parametrize("agent", [None, "", 7, ["Googlebot"], {"Googlebot": 1}, True])
def test_what_is_no_user_agent_is_no_robot(agent: Any) -> None:
    assert isinstance(parsed(agent)[0], Interaction)


@pytest.mark.parametrize("context", [None, [], "Googlebot", {}, {"user_agent": "Googlebot/2.1"}])
def test_a_context_without_a_user_agent(context: Any) -> None:
    assert not robots.sent({"context": context})


def test_only_the_beginning_of_a_user_agent_is_looked_at() -> None:
    browser = PEOPLE[0]
    assert robots.sent({"context": {"userAgent": browser + " Googlebot/2.1"}})
    assert not robots.sent({"context": {"userAgent": browser.ljust(robots.LONGEST) + "Googlebot/2.1"}})


def test_a_robot_neither_links_nor_withdraws_but_a_deletion_is_heard() -> None:
    assert parsed(ROBOTS[0], type="identify", anonymousId="a") == Rejected("robot", "context.userAgent")
    assert parsed(ROBOTS[0], type="delete") == (Erasure("u", NOW),)


@pytest.mark.parametrize(
    ("agent", "crawls"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
        ("facebookexternalhit/1.1", True),
        ("okhttp/4.12.0", False),
        ("axios/1.7.2", False),
        ("Python/3.11 aiohttp/3.14.0", False),
        ("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", False),
        ("", False),
    ],
)
def test_a_library_is_on_the_list_and_crawls_nothing(agent: str, crawls: bool) -> None:
    assert robots.crawls(agent) is crawls
    assert robots.is_robot(agent) or not crawls
