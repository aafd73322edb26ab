"""Authentication: by signature where there is one, else by secret token."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from hookyard.settings.settings import decode_signing_token
from ingress.authentication import (
    UNAUTHENTICATED,
    Credentials,
    Sender,
    Signed,
    authenticate,
    make_credentials,
    sign,
    verify,
)
from ingress.refusal import Refusal

# a vector made with the documented algorithm: docs.gitlab.com, "Signing tokens" of webhooks
TOKEN = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
NOW = 1744578123
BODY = '{"object_kind":"push","event_name":"push","message":"héllo \\u003c"}'.encode()
SIGNED = {
    b"webhook-id": b"f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
    b"webhook-timestamp": b"1744578123",
    b"webhook-signature": b"v1,8Ko215MQEYdEItBJ6xNFkwrWHCErfGXHU/hL5D0bUNE=",
}
KEY = decode_signing_token(TOKEN)
OTHER_KEY = b"o" * 32
SIGNATURE = SIGNED[b"webhook-signature"]


def keys(*signing: bytes, tokens: tuple[str, ...] = (), tolerance_s: int = 300) -> Credentials:
    return make_credentials(secret_tokens=tokens, signing_keys=signing, tolerance_s=tolerance_s)


def signed(key: bytes = KEY, *, timestamp: bytes = b"%d" % NOW, body: bytes = BODY) -> dict[bytes, bytes]:
    """Headers as GitLab would send them at *timestamp*."""
    signature = sign(key, message_id=b"an-id", timestamp=timestamp, body=body)
    return {
        b"webhook-id": b"an-id",
        b"webhook-timestamp": timestamp,
        b"webhook-signature": b"v1," + signature,
    }


def judge(headers, body, *, credentials, now_s):
    """Judge a request as the endpoint does: its head, and with its body what that leaves open."""
    found = authenticate(headers, credentials=credentials, now_s=now_s)
    if isinstance(found, Signed):
        found = verify(found, body, credentials=credentials)
    return found.name if isinstance(found, Sender) else found


def reason(headers, known, *, body=BODY, now_s=NOW):
    """The slug of the refusal, ``None`` when there is none."""
    found = judge(headers, body, credentials=known, now_s=now_s)
    return found.reason if isinstance(found, Refusal) else None


def test_the_documented_vector_is_authentic():
    found = judge(SIGNED, BODY, credentials=keys(KEY), now_s=NOW)
    assert isinstance(found, str)
    assert found == f"signing token 1 (…{hashlib.sha256(KEY).hexdigest()[-4:]})"


@pytest.mark.parametrize(
    "changed",
    [
        {b"webhook-id": b"f5e5f430-f57b-4e6e-9fac-d9128cd72320"},
        {b"webhook-timestamp": b"1744578124"},
        {b"webhook-timestamp": b"01744578123"},
        {b"webhook-signature": SIGNATURE[:-2] + b"F="},
        {b"webhook-signature": SIGNATURE.rstrip(b"=")},
        {b"webhook-signature": SIGNATURE.removeprefix(b"v1,")},
        {b"webhook-signature": b"v2" + SIGNATURE[2:]},
        {b"webhook-signature": b"V1" + SIGNATURE[2:]},
        {b"webhook-signature": b"v1a" + SIGNATURE[2:]},
        {b"webhook-signature": b""},
        {b"webhook-signature": b"v1,"},
        {b"webhook-signature": b"v1,!!! not base64 !!!"},
        {b"webhook-signature": "v1,héllo".encode()},
        {b"webhook-signature": b"v1,\xff\xfe\x00"},
        {b"webhook-signature": b"," * 5000},
        {b"webhook-signature": b"v1,AAAA " * 21 + SIGNATURE},
    ],
    ids=repr,
)
def test_whatever_is_changed_of_a_signed_request_makes_it_wrong(changed):
    assert reason({**SIGNED, **changed}, keys(KEY)) == "wrong_signature"


def test_another_body_makes_it_wrong():
    assert reason(SIGNED, keys(KEY), body=BODY.replace("é".encode(), b"e")) == "wrong_signature"


@pytest.mark.parametrize("missing", [b"webhook-id", b"webhook-timestamp"])
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_a_signature_needs_an_id_and_a_timestamp(missing, how):
    headers = {name: value for name, value in SIGNED.items() if name != missing}
    if how == "empty":
        headers[missing] = b""
    assert reason(headers, keys(KEY)) == "wrong_signature"


@pytest.mark.parametrize(
    "header",
    [
        SIGNATURE + b" v1,AAAA",
        b"v1,AAAA " + SIGNATURE,
        b"v1a,c29tZXRoaW5n " + SIGNATURE + b" v9,\xff",
        b"  " + SIGNATURE + b"  ",
        b"nonsense " + SIGNATURE,
    ],
    ids=repr,
)
def test_any_signature_of_several_is_enough(header):
    assert reason({**SIGNED, b"webhook-signature": header}, keys(KEY)) is None


@pytest.mark.parametrize(
    ("known", "position"), [((KEY,), 1), ((KEY, OTHER_KEY), 1), ((OTHER_KEY, KEY), 2), ((KEY, KEY), 1)]
)
def test_any_of_several_signing_tokens_vouches_and_is_named(known, position):
    found = judge(SIGNED, BODY, credentials=keys(*known), now_s=NOW)
    assert isinstance(found, str)
    assert found.startswith(f"signing token {position} (…")


@pytest.mark.parametrize(
    ("away_s", "expected"),
    [
        (0, None),
        (300, None),
        (300.1, "stale"),
        (301, "stale"),
        (-300, None),
        (-300.1, "stale"),
        (-301, "stale"),
        (10**9, "stale"),
    ],
)
def test_the_clock_may_be_five_minutes_off_either_way(away_s, expected):
    assert reason(SIGNED, keys(KEY), now_s=NOW + away_s) == expected


def test_the_tolerance_can_be_set():
    assert reason(SIGNED, keys(KEY, tolerance_s=2), now_s=NOW + 2) is None
    assert reason(SIGNED, keys(KEY, tolerance_s=2), now_s=NOW + 3) == "stale"


@pytest.mark.parametrize(
    "timestamp",
    [
        b"-1744578123",
        b"+1744578123",
        b"1744578123.0",
        b"1_744_578_123",
        b"0x67fc",
        b"nan",
        b"inf",
        b"9" * 12,
        b"9" * 13,
        b"9" * 100_000,
        "١٧٤٤٥٧٨١٢٣".encode(),
        b"\xb2",
        b" 1744578123",
    ],
    ids=lambda value: value[:20],
)
def test_a_well_signed_timestamp_that_is_no_time_near_ours_is_stale(timestamp):
    assert reason(signed(timestamp=timestamp), keys(KEY)) == "stale"


def test_what_needs_no_body_is_judged_without_one():
    """A body costs memory and time, and GitLab's own clock is no secret."""
    for changed, why in (
        ({b"webhook-timestamp": b"0"}, "stale"),
        ({b"webhook-timestamp": b"soon"}, "stale"),
        ({b"webhook-signature": b"v2,AAAA"}, "wrong_signature"),
        ({b"webhook-signature": b"v1,="}, "wrong_signature"),
        ({b"webhook-id": b"a.1744578123"}, "wrong_signature"),
    ):
        found = authenticate({**SIGNED, **changed}, credentials=keys(KEY), now_s=NOW)
        assert isinstance(found, Refusal)
        assert found.reason == why
    assert isinstance(authenticate(SIGNED, credentials=keys(KEY), now_s=NOW), Signed)


@given(st.data())
def test_what_was_signed_cannot_be_split_elsewhere(data):
    """The same bytes under the same signature, with another id, timestamp and body."""
    timestamp = st.sampled_from([b"%d" % NOW, b"0", b"%d" % (NOW + 1)])
    body = data.draw(st.builds(b"%b.%b".__mod__, st.tuples(timestamp, st.binary(max_size=20))))
    known, headers = keys(KEY), signed(body=body)
    whole = b".".join((headers[b"webhook-id"], headers[b"webhook-timestamp"], body))
    dots = [at for at, byte in enumerate(whole) if byte == ord(".")]
    first = data.draw(st.sampled_from(dots[:-1]))
    second = data.draw(st.sampled_from([at for at in dots if at > first]))
    other = {b"webhook-id": whole[:first], b"webhook-timestamp": whole[first + 1 : second]}
    found = judge({**headers, **other}, whole[second + 1 :], credentials=known, now_s=NOW)
    is_the_same = (other[b"webhook-id"], other[b"webhook-timestamp"]) == (b"an-id", b"%d" % NOW)
    assert isinstance(found, Refusal) is not is_the_same


def test_a_wrong_signature_is_not_made_up_for_by_a_right_token():
    headers = {**SIGNED, b"webhook-signature": b"v1,AAAA", b"x-gitlab-token": b"right"}
    assert reason(headers, keys(KEY, tokens=("right",))) == "wrong_signature"
    headers = {**SIGNED, b"x-gitlab-token": b"right"}
    assert reason(headers, keys(KEY, tokens=("right",)), now_s=0) == "stale"


def test_a_right_signature_needs_no_token_and_is_not_spoilt_by_a_wrong_one():
    known = keys(KEY, tokens=("right",))
    assert reason(SIGNED, known) is None
    assert reason({**SIGNED, b"x-gitlab-token": b"wrong"}, known) is None


def test_a_signature_that_nobody_here_can_check_leaves_it_to_the_token():
    known = keys(tokens=("right",))
    assert reason({**SIGNED, b"x-gitlab-token": b"right"}, known) is None
    assert reason({**SIGNED, b"x-gitlab-token": b"wrong"}, known) == "wrong_token"
    assert reason(SIGNED, known) == "no_secret"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (b"first", "secret token 1"),
        (b"second", "secret token 2"),
        ("ключ é".encode(), "secret token 3"),
        (b"First", None),
        (b"firs", None),
        (b"first ", None),
        (b"", None),
        (b"\xff\xfe", None),
        ("ключ é".encode("utf-16"), None),
        (b"x" * 100_000, None),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else value,
)
def test_any_secret_token_vouches_and_nothing_like_it(token, expected):
    found = judge(
        {b"x-gitlab-token": token}, b"", credentials=keys(tokens=("first", "second", "ключ é")), now_s=NOW
    )
    if expected is None:
        assert isinstance(found, Refusal)
        assert found.reason == "wrong_token"
    else:
        assert isinstance(found, str)
        assert found.startswith(f"{expected} (…")


@pytest.mark.parametrize(
    ("headers", "known", "expected"),
    [
        ({}, keys(tokens=("t",)), "no_secret"),
        ({}, keys(KEY), "no_secret"),
        ({}, keys(KEY, tokens=("t",)), "no_secret"),
        ({b"x-gitlab-token": b"t"}, keys(KEY), "no_signature"),
        ({b"x-gitlab-token": b"t"}, keys(KEY, tokens=("t",)), None),
    ],
)
def test_a_request_without_what_is_asked_for_is_refused(headers, known, expected):
    assert reason(headers, known) == expected


def test_with_no_secret_at_all_everybody_is_believed_and_that_is_said():
    for headers in ({}, SIGNED, {b"x-gitlab-token": b"t"}):
        assert judge(headers, BODY, credentials=keys(), now_s=NOW) == UNAUTHENTICATED


def test_who_vouched_never_tells_the_secret():
    secrets = ("tok-5f2", "ab", "é")
    known = keys(KEY, tokens=secrets)
    for headers in (SIGNED, *({b"x-gitlab-token": secret.encode()} for secret in secrets)):
        found = judge(headers, BODY, credentials=known, now_s=NOW)
        assert isinstance(found, str)
        said = found.partition(" (")[0]
        assert said in {"signing token 1", "secret token 1", "secret token 2", "secret token 3"}
        assert len(found) == len(said) + len(" (…0000)")


def test_a_refusal_never_repeats_what_was_sent():
    known = keys(KEY, tokens=("right",))
    for headers in ({**SIGNED, b"webhook-signature": b"v1,c2VjcmV0"}, {b"x-gitlab-token": b"c2VjcmV0"}):
        found = judge(headers, b"c2VjcmV0", credentials=known, now_s=NOW)
        assert isinstance(found, Refusal)
        assert "c2VjcmV0" not in found.detail + found.reason


@given(
    body=st.text(), message_id=st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True), key=st.binary(min_size=1)
)
def test_it_agrees_with_the_standardwebhooks_package(body, message_id, key):
    now = datetime.now(tz=UTC)
    theirs = Webhook(key).sign(message_id, now, body)
    timestamp = str(int(now.timestamp()))
    raw = body.encode()
    assert theirs.encode() == b"v1," + sign(
        key, message_id=message_id.encode(), timestamp=timestamp.encode(), body=raw
    )
    headers = {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": theirs}
    Webhook(key).verify(raw, headers, json_parse=False)
    as_bytes = {name.encode(): value.encode() for name, value in headers.items()}
    assert reason(as_bytes, keys(key), body=raw, now_s=now.timestamp()) is None
    with pytest.raises(WebhookVerificationError):
        Webhook(key).verify(raw + b"x", headers, json_parse=False)
    assert reason(as_bytes, keys(key), body=raw + b"x", now_s=now.timestamp()) == "wrong_signature"


@given(
    headers=st.dictionaries(
        st.sampled_from([b"webhook-id", b"webhook-timestamp", b"webhook-signature", b"x-gitlab-token"]),
        st.binary() | st.builds(lambda raw: b"v1," + base64.b64encode(raw), st.binary()),
    ),
    body=st.binary(),
)
def test_no_bytes_make_it_raise_or_believe(headers, body):
    known = keys(KEY, tokens=(hashlib.sha256(b"nobody guesses this").hexdigest(),))
    assert isinstance(judge(headers, body, credentials=known, now_s=NOW), Refusal)
