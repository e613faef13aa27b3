"""The script as it is served: small, checkable, and kept as long as it may be."""

import base64
import gzip
import hashlib
import re

import pytest
from aiohttp import ClientSession

from varde.server import widget

pytestmark = pytest.mark.asyncio(loop_scope="session")
MOST_BYTES = 12_000


@pytest.fixture
def url(server):
    return lambda path: server.make_url(path)


async def test_it_is_small_as_it_is():
    assert len(gzip.compress(widget.SCRIPT.text, 9)) < MOST_BYTES
    assert len(widget.SCRIPT.gzipped) < MOST_BYTES
    source = widget.SCRIPT.text.decode()
    assert source.count("\n") > 500, "readable: not minified"
    for never in ("eval(", "new Function", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"):
        assert never not in source


async def test_what_is_told_of_it_is_true(url):
    async with ClientSession() as session:
        about = await (
            await session.get(url("/widget"), headers={"X-Forwarded-Proto": "https", "Host": "r.example"})
        ).json()
        assert about["url"] == f"https://r.example/widget/{about['version']}/varde-recs.js"
        kept = await session.get(url(f"/widget/{about['version']}/varde-recs.js"))
        content = await kept.read()
        assert about["integrity"] == f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}"
        assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert f'src="{about["url"]}" integrity="{about["integrity"]}" crossorigin="anonymous"' in about["tag"]
        newest = await session.get(url("/widget/varde-recs.js"))
        assert await newest.read() == content
        assert newest.headers["Cache-Control"] == "public, max-age=300, must-revalidate"
        missing = await session.get(url("/widget/0123456789abcdef/varde-recs.js"))
        assert missing.status == 404
        assert missing.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_it_is_asked_for_anew_without_being_sent_anew(url, encoding):
    async with ClientSession(auto_decompress=False) as session:
        first = await session.get(url("/widget/varde-recs.js"), headers={"Accept-Encoding": encoding})
        content = await first.read()
        assert (gzip.decompress(content) if encoding == "gzip" else content) == widget.SCRIPT.text
        assert first.headers["Access-Control-Allow-Origin"] == "*"
        assert first.headers["Vary"] == "Accept-Encoding"
        assert re.match(r"text/javascript; ?charset=utf-8", first.headers["Content-Type"])
        again = {"Accept-Encoding": encoding, "If-None-Match": first.headers["ETag"]}
        second = await session.get(url("/widget/varde-recs.js"), headers=again)
        assert (second.status, await second.read()) == (304, b"")
        other = await session.get(url("/widget/varde-recs.js"), headers={"If-None-Match": '"another"'})
        assert other.status == 200


async def test_a_hostile_host_is_only_text(url):
    async with ClientSession() as session:
        about = await (await session.get(url("/widget"), headers={"Host": 'x"><script>'})).json()
        assert "<script>" not in about["tag"].removeprefix("<script async")
