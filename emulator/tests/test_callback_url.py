"""Where a callback goes."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from gitlab_emulator.callback_url import checked, shown, with_result


@pytest.mark.parametrize(
    ("base", "start"),
    [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000?success=true&identifier=j-1&some_parameter="),
        ("http://127.0.0.1:9000/done?", "http://127.0.0.1:9000/done?success=true&"),
        ("https://bot.example/a?key=%20x&b", "https://bot.example/a?key=%20x&b&success=true&"),
    ],
)
@pytest.mark.parametrize("parameter", ["soil", "a b&c=d?#/%", "Größe 🪴", ""])
def test_the_result_follows_the_query_that_is_there(base: str, start: str, parameter: str) -> None:
    """Whatever the parameter holds comes out of the query as it went in."""
    address = with_result(checked(base), identifier="j-1", some_parameter=parameter)
    assert address.startswith(start)
    assert address.isascii()
    pairs = parse_qsl(urlsplit(address).query, keep_blank_values=True)
    assert pairs[-3:] == [("success", "true"), ("identifier", "j-1"), ("some_parameter", parameter)]


def test_a_parameter_that_was_not_given_is_not_sent_back() -> None:
    """Absent is not the same as empty."""
    address = with_result("http://127.0.0.1:9000/", identifier="j-1", some_parameter=None)
    assert address == "http://127.0.0.1:9000/?success=true&identifier=j-1"


def test_a_fragment_is_dropped_and_blanks_around_it_are_too() -> None:
    """Neither belongs to a request."""
    assert checked(" http://bot.example/a#b\n") == "http://bot.example/a"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "bot.example",
            "ftp://bot.example/",
            "http://",
            "http:///path",
            "http://[::1",
            "http://a:port/",
        ),
        *("http://a:0/", "http://a:99999/", "http://a/b c", "http://a/\x00", "http://a/" + "b" * 2_000),
    ],
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    """In one line."""
    with pytest.raises(ValueError, match="give one such as http://") as caught:
        checked(text)
    assert "\n" not in str(caught.value)


def test_people_see_neither_password_nor_query() -> None:
    """Either may be a secret."""
    assert shown("http://ann:hush@bot.example:9000/done?key=hush") == "http://bot.example:9000/done"
