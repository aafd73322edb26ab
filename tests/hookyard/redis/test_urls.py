"""Which Redis URLs are accepted, and how they are shown."""

from __future__ import annotations

import pytest

from hookyard.redis.client import open_redis, open_sync_redis
from hookyard.redis.urls import Sentinels, check_url, masked, parse_sentinel_url

GOOD = [
    "redis://127.0.0.1:6379/0",
    "redis://redis",
    "redis://redis:6379",
    "redis://redis:6379/",
    "redis://[::1]:6379/3",
    "redis://user:p%2Fss%40@redis:6379/0",
    "redis://:pass@redis/0?client_name=me",
    "rediss://redis:6380/1?ssl_cert_reqs=none",
    "unix:///run/redis.sock",
    "unix:///run/redis.sock?db=2",
    "unix://user:pass@/run/redis.sock",
    "unix:///run/redis@1.sock",
    "redis+sentinel://a:26379,b:26379/mymaster/0",
    "redis+sentinel://user:pass@a,b/mymaster",
    "redis+sentinel://[::1]:26379,[::2]/mymaster",
]

BAD = [
    "",
    "redis",
    "hunter2@redis:6379",
    "user:hunter2@redis:6379",
    "http://hunter2@redis",
    "redis:/hunter2",
    "redis://:hunt/er2@redis",
    "redis://:hunt#er2@redis:6379",
    "redis://:hunt?er2@redis:6379",
    "redis://hunter2:x@redis:port/0",
    "redis://redis:99999/0",
    "redis://redis:6379/hunter2",
    "redis://redis:6379/-1",
    "redis://redis:6379/0/1",
    "redis://[::1/hunter2",
    "redis://:hunter2",
    "redis://user:hunter2",
    "redis://:hunter2@",
    "redis://redis/0?socket_timeout=hunter2",
    "redis://redis/0?socket_timeout=60",
    "redis://redis/0?hunter2=1",
    "redis://redis/0?decode_responses=True",
    "redis://redis/0?protocol=3",
    "redis://redis/0?ssl_cert_reqs=none",
    "rediss://redis/0?ssl_cert_reqs=hunter2",
    "unix://",
    "unix://hunter2@",
    "unix://hunter2/redis.sock",
    "unix:///run/redis.sock?db=hunter2",
    "redis+sentinel://",
    "redis+sentinel://a:26379",
    "redis+sentinel://a:26379/",
    "redis+sentinel:///mymaster",
    "redis+sentinel://a:hunter2/mymaster",
    "redis+sentinel://a:99999/mymaster",
    "redis+sentinel://:hunt/er2@a:26379/mymaster",
    "redis+sentinel://a:26379/mymaster/hunter2",
    "redis+sentinel://[::1/mymaster",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_good_url_can_be_opened(url):
    check_url(url)
    for client in (open_redis(url, timeout_s=1), open_sync_redis(url, timeout_s=1)):
        if "sentinel" not in url:
            client.connection_pool.make_connection()


@pytest.mark.parametrize("url", BAD)
def test_a_bad_url_is_refused_without_a_word_of_it(url):
    with pytest.raises(ValueError, match=r"\w") as caught:
        check_url(url)
    text = str(caught.value)
    assert not any(part in text for part in ("hunt", "er2", "99999", "6379/"))
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://redis:6379/0", "redis://redis:6379/0"),
        ("redis://:hunter2@redis:6379/0", "redis://:***@redis:6379/0"),
        ("redis://user:hunter2@redis/0", "redis://user:***@redis/0"),
        ("redis://hunter2@redis/0", "redis://***@redis/0"),
        ("redis://user:hunt@er2@redis/0", "redis://user:***@redis/0"),
        ("redis://user:hunt/er2@redis/0", "redis://user:***@redis/0"),
        ("redis://redis/0?password=hunter2&db=1", "redis://redis/0?password=***&db=1"),
        ("redis://redis/0?x=1&Password=hunter2", "redis://redis/0?x=1&Password=***"),
        ("redis://user:hunt://er2@redis", "redis://user:***@redis"),
        ("user:hunter2@redis:6379", "user:***@redis:6379"),
        ("unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=0"),
        ("unix:///run/redis@1.sock", "unix:///run/redis@1.sock"),
        ("unix://user:hunter2@/run/redis.sock", "unix://user:***@/run/redis.sock"),
        ("redis+sentinel://a:1,b:2/m/0", "redis+sentinel://a:1,b:2/m/0"),
        ("redis+sentinel://:hunter2@a:1/m", "redis+sentinel://:***@a:1/m"),
        ("redis+sentinel://user:hunter2@a:1,b:2/m", "redis+sentinel://user:***@a:1,b:2/m"),
        ("redis://[::1", "redis://[::1"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_its_password(url, shown):
    assert masked(url) == shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "redis+sentinel://a:1,b/m/2",
            Sentinels(addresses=(("a", 1), ("b", 26379)), master="m", db=2, username=None, password=None),
        ),
        (
            "redis+sentinel://us%40er:p%2Fw@[::1]:1,[::2]/m",
            Sentinels(
                addresses=(("::1", 1), ("::2", 26379)), master="m", db=0, username="us@er", password="p/w"
            ),
        ),
        (
            "redis+sentinel://:pw@a/m/",
            Sentinels(addresses=(("a", 26379),), master="m", db=0, username=None, password="pw"),
        ),
    ],
)
def test_a_sentinel_url_is_read(url, expected):
    assert parse_sentinel_url(url) == expected
