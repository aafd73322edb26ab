"""Placeholders in URLs and templates."""

from __future__ import annotations

import pytest
from gitlab_emulator.hooks.placeholders import TemplateError, fill_template, fill_url, missing_variables

DATA = {
    "object_kind": "issue",
    "object_attributes": {"id": 7, "title": 'say "<hi>"\n', "closed": None, "draft": False},
    "labels": [{"title": "bug"}],
}


@pytest.mark.parametrize(
    ("template", "payload"),
    [
        ('{"event": "{{object_kind}}"}', {"event": "issue"}),
        ('{"id": {{object_attributes.id}}}', {"id": 7}),
        ('{"t": "{{object_attributes.title}}"}', {"t": 'say "<hi>"\n'}),
        ('{"c": {{object_attributes.closed}}, "d": {{object_attributes.draft}}}', {"c": None, "d": False}),
        ('{"gone": {{object_attributes.nothing.at.all}}}', {"gone": None}),
        ('{"l": {{labels}}}', {"l": [{"title": "bug"}]}),
        ("[1, {{object_attributes.id}}]", [1, 7]),
        ("{{object_attributes.id}}", 7),
    ],
)
def test_a_template_becomes_json_with_the_events_values(template: str, payload: object) -> None:
    assert fill_template(template, DATA) == payload


@pytest.mark.parametrize(
    "template",
    ["{", '{"a": {{object_kind}}}', "{{labels.0.title}}", "{{object_kind.x}}", "NaN", "[" * 100_000],
)
def test_a_template_that_makes_no_json_says_so_without_the_values(template: str) -> None:
    with pytest.raises(TemplateError, match="Error while parsing rendered custom webhook template") as caught:
        fill_template(template, DATA)
    assert "say" not in str(caught.value)


def test_variables_fill_an_address() -> None:
    url = "https://{host}/hook/{token-1}?a={b}"
    assert missing_variables(url, {"host": "x", "b": "1"}) == ["token-1"]
    assert fill_url(url, {"host": "bot.test", "token-1": "s", "b": "1"}) == "https://bot.test/hook/s?a=1"
