"""What becomes of a request that is authentic: a delivery whose event is gidgetlab's, or a plain 4xx."""

from __future__ import annotations

import json

import msgspec
import pytest
from gidgetlab.sansio import Event
from hypothesis import given, settings
from hypothesis import strategies as st

from hookyard.gitlab.events import describe, read_event
from hookyard.ledger.codec import pack_body, pack_meta, unpack_delivery
from hookyard.ledger.records import Delivery
from ingress.authentication import UNAUTHENTICATED, Credentials
from ingress.endpoint import judge
from ingress.head import KEPT_HEADERS, judge_head
from ingress.parsing import LARGE_BYTES
from ingress.refusal import Refusal

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def received(body=b"{}", content_type=JSON, **headers):
    """What comes of a request; ``None`` for a header leaves it out."""
    given_ones = {
        "x-gitlab-event": "Push Hook",
        "content-type": content_type,
        "webhook-id": "an-id",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    given_ones["content-length"] = str(len(body))
    head = judge_head(
        {name.encode(): value.encode("latin-1") for name, value in given_ones.items() if value is not None},
        credentials=Credentials(),
        now_s=1_700_000_000.123,
        max_body_bytes=2**30,
        new_id=lambda: "fresh-id",
    )
    return head if isinstance(head, Refusal) else judge(head, body, credentials=Credentials())


def worker_side(delivery: Delivery) -> Event:
    """The event that a worker makes of *delivery*, after it has been in Redis."""
    stored = unpack_delivery(delivery.id, pack_meta(delivery), pack_body(delivery.body))
    assert stored == delivery
    return read_event(stored.event, stored.content_type, stored.body)


@pytest.mark.parametrize(
    ("content_type", "body", "data"),
    [
        (JSON, b'{"object_kind": "push"}', {"object_kind": "push"}),
        (JSON, b"[1, 2]", [1, 2]),
        (JSON, b'"text"', "text"),
        (JSON, b"17", 17),
        (JSON, b"null", None),
        (JSON, b"true", True),
        (JSON, b" \r\n{}\t", {}),
        (JSON, b'{"a": 1, "a": 2}', {"a": 2}),
        (JSON, b'{"a": NaN, "b": -Infinity, "c": 1e999}', None),
        (JSON, b'"' + b"\\ud800" + b'"', "\ud800"),
        (JSON, '{"ä": "€ 𝄞"}'.encode(), {"ä": "€ 𝄞"}),
        (JSON, b"[" * 500 + b"]" * 500, None),
        (JSON, b"9" * 4300, int("9" * 4300)),
        ("APPLICATION/JSON", b"{}", {}),
        ("application/json;charset=UTF-8", b"{}", {}),
        ('application/json; charset="utf-8"; x=y', b"{}", {}),
        ("application/json; charset=utf-16", '{"a": "é"}'.encode("utf-16"), {"a": "é"}),
        ("application/json; charset=latin-1", b'{"a": "\xe9"}', {"a": "é"}),
        ("application/json; charset=utf-8-sig", b"\xef\xbb\xbf{}", {}),
        (FORM, b"payload=%7B%22a%22%3A+%22b%22%7D", {"a": "b"}),
        (FORM, b"x=y&payload=[1]&payload=[2]", [1]),
        ("application/octet-stream", b"\xff\x00\xfe", b"\xff\x00\xfe"),
        ("application/octet-stream; charset=bogus", b"x", b"x"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_the_event_equals_gidgetlabs(content_type, body, data):
    delivery = received(body, content_type)
    assert isinstance(delivery, Delivery)
    expected = Event.from_http({"content-type": content_type, "x-gitlab-event": "Push Hook"}, body)
    event = worker_side(delivery)
    assert (event.event, repr(event.data)) == ("Push Hook", repr(expected.data))
    assert data is None or event.data == data


@pytest.mark.parametrize(
    ("content_type", "body", "status", "slug"),
    [
        (JSON, b"{", 400, "malformed"),
        (JSON, b"not json", 400, "malformed"),
        (JSON, b" ", 400, "malformed"),
        (JSON, b"{} {}", 400, "malformed"),
        (JSON, b"{'a': 1}", 400, "malformed"),
        (JSON, b"\xef\xbb\xbf{}", 400, "malformed"),
        (JSON, b"\xff", 400, "malformed"),
        (JSON, '{"a": "é"}'.encode("latin-1"), 400, "malformed"),
        (JSON, b'{"a":"\x00"}', 400, "malformed"),
        (JSON, b"\x1f\x8b\x08", 400, "malformed"),
        (JSON, b"9" * 4301, 400, "malformed"),
        (JSON, b"-" + b"9" * 50_000, 400, "malformed"),
        (JSON, b"[" * 100_000, 400, "too_deep"),
        (JSON, b'{"a":' * 100_000, 400, "too_deep"),
        (FORM, b"a=b", 400, "malformed"),
        (FORM, b"payload=", 400, "malformed"),
        (FORM, b"payload={", 400, "malformed"),
        (FORM, b"payload=" + b"[" * 50_000, 400, "too_deep"),
        (FORM, b"\xff", 400, "malformed"),
        (None, b"{}", 415, "bad_content_type"),
        ("text/plain", b"{}", 415, "bad_content_type"),
        ("application/xml", b"<a/>", 415, "bad_content_type"),
        ("multipart/form-data; boundary=x", b"--x--", 415, "bad_content_type"),
        ("application/json, text/plain", b"{}", 415, "bad_content_type"),
        ("nonsense", b"{}", 415, "bad_content_type"),
        ("", b"{}", 415, "bad_content_type"),
        ("application/json; a=" + "x" * 200, b"{}", 415, "bad_content_type"),
        ("application/json; a=é", b"{}", 415, "bad_content_type"),
        ("application/json; charset=utf-16", b"{}\n", 400, "malformed"),
        ("application/json; charset=ascii", "é".encode(), 400, "malformed"),
        ("application/json; charset=bogus", b"{}", 415, "bad_charset"),
        ("application/json; charset=undefined", b"{}", 415, "bad_charset"),
        ("application/json; charset=utf-7", b"{}", 415, "bad_charset"),
        ("application/json; charset=idna", b"{}", 415, "bad_charset"),
        ("application/json; charset=punycode", b"{}", 415, "bad_charset"),
        ("application/json; charset=rot13", b"{}", 415, "bad_charset"),
        ("application/json; charset=hex", b"7b7d", 415, "bad_charset"),
        ("application/json; charset=base64", b"e30=", 415, "bad_charset"),
        ("application/json; charset=zip", b"{}", 415, "bad_charset"),
        ("application/json; charset=../../x", b"{}", 415, "bad_charset"),
        ("application/json; charset*=utf-8''utf-8", b"{}", 415, "bad_charset"),
        ("application/json; charset=a\0b", b"{}", 415, "bad_content_type"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_gidgetlab_chokes_on_is_refused_with_the_status_that_says_why(content_type, body, status, slug):
    found = received(body, content_type)
    assert isinstance(found, Refusal)
    assert (found.status, found.reason) == (status, slug)
    assert len(found.detail.splitlines()) == 1


@pytest.mark.parametrize("name", [None, "", "x" * 201, "Ünïcode", "a\x1bb"])
def test_without_an_event_name_of_sensible_length_it_is_a_400(name):
    found = received(x_gitlab_event=name)
    assert isinstance(found, Refusal)
    assert (found.status, found.reason) == (400, "no_event")


@pytest.mark.parametrize("name", ["Brand New Hook", "x" * 200, " "])
def test_any_event_name_is_taken_as_it_is(name):
    assert received(x_gitlab_event=name).event == name


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "an-id"),
        ({"idempotency_key": "older"}, "an-id"),
        ({"webhook_id": None, "idempotency_key": "older"}, "older"),
        ({"webhook_id": "", "idempotency_key": "older"}, "older"),
        ({"webhook_id": None}, "fresh-id"),
        ({"webhook_id": "", "idempotency_key": ""}, "fresh-id"),
        ({"webhook_id": "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"}, "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"),
        ({"webhook_id": "msg_2a.b~c-9"}, "msg_2a.b~c-9"),
        ({"webhook_id": "x" * 128}, "x" * 128),
    ],
)
def test_the_id_is_gitlabs_or_else_a_fresh_one(headers, expected):
    assert received(**headers).id == expected


@pytest.mark.parametrize(
    "bad", ["x" * 129, "a b", "cron:x", "a/b", "-rf", ".hidden", "é", "a\n", "a\0", "%41", "{a}"]
)
def test_an_id_that_could_do_harm_is_a_400(bad):
    for headers in ({"webhook_id": bad}, {"webhook_id": None, "idempotency_key": bad}):
        found = received(**headers)
        assert isinstance(found, Refusal)
        assert (found.status, found.reason) == (400, "bad_id")
        assert bad not in found.detail


def test_only_headers_that_can_hold_no_secret_are_kept():
    delivery = received(
        x_gitlab_token="tok",
        authorization="Basic eDp5",
        webhook_signature="v1,AAAA",
        cookie="a=b",
        x_custom="mine",
        x_gitlab_event_uuid="an-uuid",
        x_gitlab_instance="https://gitlab.example.com/sub",
        user_agent="GitLab/19.1.0" * 100,
        x_gitlab_webhook_uuid="",
    )
    assert delivery.headers == {
        "x-gitlab-event-uuid": "an-uuid",
        "x-gitlab-instance": "https://gitlab.example.com/sub",
        "user-agent": ("GitLab/19.1.0" * 100)[:300],
    }
    assert delivery.event_uuid == "an-uuid"
    assert set(delivery.headers) < set(KEPT_HEADERS)
    assert delivery.authenticated_by == UNAUTHENTICATED
    assert delivery.received_ms == 1_700_000_000_123


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", False),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", False),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
        ("x" * 55, False),
        ("", False),
    ],
)
def test_a_trace_context_is_kept_when_it_is_one(sent, kept):
    assert received(traceparent=sent).trace == (sent if kept else None)


@pytest.mark.parametrize(
    ("data", "project", "thing"),
    [
        (
            {
                "object_kind": "issue",
                "object_attributes": {"iid": 7},
                "project": {"path_with_namespace": "g/a"},
            },
            "g/a",
            "#7",
        ),
        ({"object_kind": "work_item", "object_attributes": {"iid": 8}}, None, "#8"),
        (
            {"object_kind": "merge_request", "object_attributes": {"iid": 12}, "project": {"id": 5}},
            "5",
            "!12",
        ),
        ({"object_kind": "note", "issue": {"iid": 3}, "project_id": 9}, "9", "#3"),
        ({"object_kind": "note", "merge_request": {"iid": 4}}, None, "!4"),
        ({"object_kind": "note", "object_attributes": {"iid": 1}}, None, None),
        (
            {"object_kind": "pipeline", "merge_request": {"iid": 2}, "object_attributes": {"iid": 5}},
            None,
            "!2",
        ),
        ({"object_kind": "pipeline", "merge_request": None}, None, None),
        ({"object_kind": "push", "object_attributes": {"iid": 1}}, None, None),
        ({"event_name": "project_create", "path_with_namespace": "g/new"}, "g/new", None),
        ({"event_name": "user_add_to_group", "group_path": "g"}, "g", None),
        ({"group": {"group_path": "g/sub"}}, "g/sub", None),
        ({"project_path_with_namespace": "g/x"}, "g/x", None),
        ({"project": {"path_with_namespace": "p" * 999}}, "p" * 200, None),
        ({"project": {"path_with_namespace": "a\x1b[31mb\nc\ud800\u202e"}}, "a�[31mb�c��", None),
        ({"project": {"path_with_namespace": "grüppe/ä"}}, "grüppe/ä", None),
        ({"project": {"path_with_namespace": True}}, None, None),
        ({"project": {"id": True}}, None, None),
        ({"project": {"id": 10**4299}}, None, None),
        ({"project": {"id": 1.5}}, None, None),
        ({"project": {"path_with_namespace": ["x"]}, "project_id": 1}, "1", None),
        ({"project": "text", "object_attributes": "text", "object_kind": "issue"}, None, None),
        ({"object_kind": "issue", "object_attributes": {"iid": "7"}}, None, None),
        ({"object_kind": "issue", "object_attributes": {"iid": True}}, None, None),
        ({"object_kind": "issue", "object_attributes": {"iid": 10**30}}, None, None),
        ({"object_kind": ["issue"], "object_attributes": None}, None, None),
        ({"object_kind": {"a": 1}}, None, None),
        ([1], None, None),
        ("text", None, None),
        (None, None, None),
        (b"\xff", None, None),
        (float("nan"), None, None),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_project_and_object_are_found_whatever_the_shape(data, project, thing):
    assert describe(data) == (project, thing)


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("note") | st.just("issue"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["object_kind", "object_attributes", "project", "id", "iid", "path_with_namespace", "issue"]
            )
            | st.sampled_from(["merge_request", "group", "group_path", "project_id"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(SHAPES)
def test_every_shape_of_json_can_be_kept(data):
    delivery = received(json.dumps(data).encode())
    assert isinstance(delivery, Delivery)
    assert repr(worker_side(delivery).data) == repr(data)


def test_half_a_surrogate_pair_can_be_kept():
    """JSON may hold one; what is written to Redis may not."""
    delivery = received(b'{"project": {"path_with_namespace": "a\\ud83d"}}')
    assert delivery.project == "a�"
    assert msgspec.msgpack.decode(pack_meta(delivery))["project"] == "a�"
    assert worker_side(delivery).data == {"project": {"path_with_namespace": "a\ud83d"}}


HEADER = st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))
CONTENT_TYPE = (
    st.none()
    | HEADER
    | st.sampled_from([JSON, FORM, "application/octet-stream"])
    | st.builds("{}; charset={}".format, st.sampled_from([JSON, FORM]), HEADER)
    | st.builds("{}; charset{}".format, st.sampled_from([JSON, FORM]), HEADER)
    | st.builds("application/json; charset={}".format, st.sampled_from(["utf-16", "utf-7", "cp037", "mbcs"]))
)
BODY = (
    st.binary()
    | SHAPES.map(lambda data: json.dumps(data).encode())
    | st.builds(b"payload=%b".__mod__, st.binary())
)


@settings(max_examples=400)
@given(
    body=BODY,
    content_type=CONTENT_TYPE,
    headers=st.dictionaries(
        st.sampled_from(
            [
                "webhook_id",
                "idempotency_key",
                "x_gitlab_event",
                "x_gitlab_instance",
                "traceparent",
                "user_agent",
            ]
        ),
        HEADER,
    ),
)
def test_any_bytes_are_a_delivery_or_a_4xx(body, content_type, headers):
    found = received(body, content_type, **headers)
    if isinstance(found, Refusal):
        assert 400 <= found.status < 500
        return
    sent = {"x-gitlab-event": found.event, "content-type": content_type}
    expected = Event.from_http(sent, body)
    event = worker_side(found)
    assert (event.event, repr(event.data)) == (expected.event, repr(expected.data))


PADDING = '"%s"' % ("x" * LARGE_BYTES)


@pytest.mark.parametrize(
    "data",
    [
        {"object_kind": "issue", "object_attributes": {"iid": 7}, "project": {"path_with_namespace": "g/a"}},
        {"object_kind": "note", "merge_request": {"iid": 3}, "project_id": 17},
        {"object_kind": "note", "issue": {"iid": 3}, "group": {"group_path": "g"}},
        {"object_kind": "pipeline", "merge_request": {"iid": 9}, "path_with_namespace": "g/ä"},
        {"object_kind": ["issue"], "project": [1], "object_attributes": "x", "group_path": "g" * 900},
        {"object_kind": "issue", "object_attributes": {"iid": {"iid": 1}}, "project": {"id": 2**70}},
        {"object_kind": "issue", "object_attributes": None, "project": {"path_with_namespace": {}, "id": 5}},
    ],
)
def test_a_large_body_is_described_as_a_small_one_is(data):
    small, large = json.dumps(data), json.dumps({"padding": "x" * LARGE_BYTES, **data})
    found = received(large.encode())
    assert (found.project, found.object) == (
        received(small.encode()).project,
        received(small.encode()).object,
    )
    assert found.body == large.encode()


@pytest.mark.parametrize("body", [f"[{PADDING}]", PADDING, f'{{"a": [{PADDING}, {{}}, 1e5, null]}}'])
def test_a_large_body_of_any_shape_is_accepted(body):
    found = received(body.encode())
    assert (found.project, found.object) == (None, None)
    assert worker_side(found).data == json.loads(body)


@pytest.mark.parametrize(
    ("content_type", "body", "status", "slug"),
    [
        (JSON, f"[{PADDING}".encode(), 400, "malformed"),
        (JSON, f"[{PADDING}] x".encode(), 400, "malformed"),
        (JSON, f"[{PADDING}, NaN]".encode(), 400, "malformed"),
        (JSON, f"[{PADDING}, ".encode() + b'"\xff"]', 400, "malformed"),
        (JSON, f"[{PADDING}, ".encode() + b"[" * 100_000, 400, "too_deep"),
        (FORM, b"payload=" + PADDING.encode(), 415, "bad_content_type"),
        ("application/json; charset=utf-16", PADDING.encode("utf-16"), 415, "bad_content_type"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_large_body_that_a_worker_could_not_read_is_refused(content_type, body, status, slug):
    found = received(body, content_type)
    assert isinstance(found, Refusal)
    assert (found.status, found.reason) == (status, slug)


@settings(max_examples=100)
@given(SHAPES)
def test_every_shape_of_large_json_is_described_as_small(data):
    whole = {**data, "padding": "x" * LARGE_BYTES} if isinstance(data, dict) else [data, "x" * LARGE_BYTES]
    found = received(json.dumps(whole).encode("utf-8", "surrogatepass"))
    expected = describe(whole)
    assert isinstance(found, Refusal) or (found.project, found.object) == expected
