"""Raw requests, of every kind on which two parsers, or one at different cuts, have been known to disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TOKEN: Final = b"X-Gitlab-Token: right\r\n"
BODY: Final = b'{"a": 1}'

BLANKS: Final = "blanks around a value are no part of it (RFC 9110, 5.5); uvicorn leaves those that follow"
TRAILERS: Final = "trailers are dropped (RFC 9110, 6.5.1); uvicorn takes those for headers that come early"
UPGRADE: Final = "no upgrade is made; uvicorn drops the body, or takes it for the next request"
MANY: Final = "heads are limited to 100 fields and 64 KB; uvicorn has no limit"
ORDER: Final = "each request is answered before the next is parsed; uvicorn drops answers before an error"


@dataclass(frozen=True)
class Raw:
    """One connection's bytes.

    :param differs: why our server's outcome is not that of plain uvicorn, if it is not.
    """

    name: str
    data: bytes
    differs: str | None = None


def post(
    fields: bytes = b"",
    body: bytes = BODY,
    *,
    line: bytes = b"POST / HTTP/1.1",
    length: bytes | None = None,
    number: int = 1,
    common: bytes = TOKEN,
) -> bytes:
    """Return one webhook; without *length* its body is announced as it is."""
    announced = b"Content-Length: %d\r\n" % len(body) if length is None else length
    return (
        line
        + b"\r\nHost: x\r\nContent-Type: application/json\r\nX-Gitlab-Event: Push Hook\r\n"
        + common
        + b"webhook-id: d-%d\r\n" % number
        + fields
        + announced
        + b"\r\n"
        + body
    )


def chunked(body: bytes, fields: bytes = b"Transfer-Encoding: chunked\r\n", **given: object) -> bytes:
    """Return a webhook whose *body* is already framed."""
    return post(fields, body, length=b"", **given)  # type: ignore[arg-type]


WHOLE: Final = b"8\r\n" + BODY + b"\r\n0\r\n\r\n"
HEALTH: Final = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


def _lines() -> list[Raw]:
    lines = {
        "root": b"POST / HTTP/1.1",
        "two slashes": b"POST // HTTP/1.1",
        "query": b"POST /?a=b HTTP/1.1",
        "empty query": b"POST /? HTTP/1.1",
        "absolute": b"POST http://x/ HTTP/1.1",
        "absolute without a path": b"POST http://x HTTP/1.1",
        "asterisk": b"POST * HTTP/1.1",
        "escaped slash": b"POST /%2f HTTP/1.1",
        "bad escape": b"POST /%zz HTTP/1.1",
        "elsewhere": b"POST /x HTTP/1.1",
        "dots": b"POST /x/.. HTTP/1.1",
        "fragment": b"POST /#a HTTP/1.1",
        "semicolon": b"POST /;a HTTP/1.1",
        "not ASCII": b"POST /\xc3\xa4 HTTP/1.1",
        "NUL": b"POST /\0 HTTP/1.1",
        "DEL": b"POST /\x7f HTTP/1.1",
        "PUT": b"PUT / HTTP/1.1",
        "PATCH": b"PATCH / HTTP/1.1",
        "DELETE": b"DELETE / HTTP/1.1",
        "OPTIONS": b"OPTIONS / HTTP/1.1",
        "GET with a body": b"GET / HTTP/1.1",
        "HEAD with a body": b"HEAD / HTTP/1.1",
        "TRACE": b"TRACE / HTTP/1.1",
        "lower case": b"post / HTTP/1.1",
        "unknown method": b"HOOK / HTTP/1.1",
        "HTTP/1.0": b"POST / HTTP/1.0",
        "HTTP/0.9": b"POST / HTTP/0.9",
        "HTTP/1.2": b"POST / HTTP/1.2",
        "HTTP/2.0": b"POST / HTTP/2.0",
        "HTTP/1.10": b"POST / HTTP/1.10",
        "HTTP/11": b"POST / HTTP/11",
        "small http": b"POST / http/1.1",
        "other protocol": b"POST / ICE/1.0",
        "no version": b"POST /",
        "no target": b"POST HTTP/1.1",
        "two blanks": b"POST  /  HTTP/1.1",
        "tabs": b"POST\t/\tHTTP/1.1",
        "blank before": b" POST / HTTP/1.1",
        "blank after": b"POST / HTTP/1.1 ",
        "empty line before": b"\r\nPOST / HTTP/1.1",
        "line feed before": b"\nPOST / HTTP/1.1",
        "carriage return inside": b"POST /\r HTTP/1.1",
    }
    return [Raw(f"line, {name}", post(line=line)) for name, line in lines.items()]


def _lengths() -> list[Raw]:
    values = {
        "plus": b"+8",
        "minus": b"-8",
        "hex": b"0x8",
        "leading zero": b"08",
        "many zeros": b"0" * 40 + b"8",
        "exponent": b"8e0",
        "decimal": b"8.0",
        "list": b"8, 8",
        "different list": b"8, 9",
        "semicolon": b"8;a",
        "underscore": b"0_8",
        "empty": b"",
        "word": b"eight",
        "2**63": b"%d" % 2**63,
        "2**64+8": b"%d" % (2**64 + 8),
        "too large": b"26214401",
        "one more": b"9",
        "one less": b"7",
        "zero": b"0",
        "blanks before": b"  \t 8",
        "blanks inside": b"8 8",
        "vertical tab": b"\x0b8",
        "other digits": "٨".encode(),
    }
    rest_is_next = {"one less", "zero"}
    found = [
        Raw(f"length, {n}", post(length=b"Content-Length: %b\r\n" % v), ORDER if n in rest_is_next else None)
        for n, v in values.items()
    ]
    found += [
        Raw("length, blank after", post(length=b"Content-Length: 8 \r\n")),
        Raw("length, tab after", post(length=b"Content-Length: 8\t\r\n")),
        Raw("length, none", post(length=b""), ORDER),
        Raw("length, none and no body", post(length=b"", body=b"")),
        Raw("length, zero and no body", post(body=b"")),
        Raw("length, twice", post(length=b"Content-Length: 8\r\nContent-Length: 8\r\n")),
        Raw("length, twice and different", post(length=b"Content-Length: 8\r\nContent-Length: 2\r\n")),
        Raw("length, blank before the colon", post(length=b"Content-Length : 8\r\n")),
        Raw("length, underscore in the name", post(length=b"Content_Length: 8\r\n"), ORDER),
        Raw("length, small letters", post(length=b"content-length: 8\r\n")),
        Raw("length, folded", post(length=b"Content-Length:\r\n 8\r\n")),
        Raw("length, HTTP/1.0 without", post(length=b"", line=b"POST / HTTP/1.0")),
        Raw("length, ends early", post(length=b"Content-Length: 90\r\n")),
    ]
    return found


def _transfer_encodings() -> list[Raw]:
    values = {
        "chunked": b"chunked",
        "capitals": b"CHUNKED",
        "blank after": b"chunked ",
        "tab before": b"\tchunked",
        "vertical tab": b"\x0bchunked",
        "xchunked": b"xchunked",
        "chunkedx": b"chunkedx",
        "identity": b"identity",
        "gzip": b"gzip",
        "gzip, chunked": b"gzip, chunked",
        "chunked, gzip": b"chunked, gzip",
        "chunked twice": b"chunked, chunked",
        "comma": b"chunked,",
        "quoted": b'"chunked"',
        "parameter": b"chunked;a=b",
        "empty": b"",
    }
    found = [
        Raw(f"encoding, {name}", chunked(WHOLE, b"Transfer-Encoding: %b\r\n" % value))
        for name, value in values.items()
    ]
    te = b"Transfer-Encoding: chunked\r\n"
    found += [
        Raw("encoding, with a length", post(te, WHOLE)),
        Raw("encoding, after a length", post(b"Content-Length: 18\r\n", WHOLE, length=te)),
        Raw("encoding, with a length of zero", post(te, WHOLE, length=b"Content-Length: 0\r\n")),
        Raw("encoding, two fields", chunked(WHOLE, te + te)),
        Raw("encoding, identity and chunked", chunked(WHOLE, b"Transfer-Encoding: identity\r\n" + te)),
        Raw("encoding, blank before the colon", chunked(WHOLE, b"Transfer-Encoding : chunked\r\n")),
        Raw("encoding, folded", chunked(WHOLE, b"Transfer-Encoding:\r\n chunked\r\n")),
        Raw("encoding, HTTP/1.0", chunked(WHOLE, line=b"POST / HTTP/1.0")),
        Raw("encoding, TE", chunked(WHOLE, b"TE: chunked\r\n"), ORDER),
    ]
    bodies = {
        "two chunks": b"4\r\n" + BODY[:4] + b"\r\n4\r\n" + BODY[4:] + b"\r\n0\r\n\r\n",
        "capitals": b"A\r\n" + BODY + b"  \r\n0\r\n\r\n",
        "zeros": b"0008\r\n" + BODY + b"\r\n000\r\n\r\n",
        "0x": b"0x8\r\n" + BODY + b"\r\n0\r\n\r\n",
        "blank after the size": b"8 \r\n" + BODY + b"\r\n0\r\n\r\n",
        "blank before the size": b" 8\r\n" + BODY + b"\r\n0\r\n\r\n",
        "extension": b"8;a=b\r\n" + BODY + b"\r\n0;c\r\n\r\n",
        "quoted extension": b'8;a="b;\r"\r\n' + BODY + b"\r\n0\r\n\r\n",
        "only line feeds": b"8\n" + BODY + b"\n0\n\n",
        "only carriage returns": b"8\r" + BODY + b"\r0\r\r",
        "no end of the data": b"8\r\n" + BODY + b"0\r\n\r\n",
        "size too small": b"7\r\n" + BODY + b"\r\n0\r\n\r\n",
        "size too large": b"9\r\n" + BODY + b"\r\n0\r\n\r\n",
        "minus": b"-8\r\n" + BODY + b"\r\n0\r\n\r\n",
        "too many digits": b"1" + b"0" * 16 + b"8\r\n" + BODY + b"\r\n0\r\n\r\n",
        "no size": b"\r\n" + BODY + b"\r\n0\r\n\r\n",
        "no last chunk": b"8\r\n" + BODY + b"\r\n",
        "no end": b"8\r\n" + BODY + b"\r\n0\r\n",
        "empty": b"0\r\n\r\n",
    }
    found += [Raw(f"chunks, {name}", chunked(body)) for name, body in bodies.items()]
    trailers = {
        "any": b"X-A: b\r\n",
        "a token": b"X-Gitlab-Token: wrong\r\n",
        "an id": b"webhook-id: other\r\n",
        "a length": b"Content-Length: 8\r\n",
        "an encoding": b"Transfer-Encoding: chunked\r\n",
        "no field": b"nonsense\r\n",
    }
    found += [Raw(f"trailer, {n}", chunked(WHOLE[:-2] + t + b"\r\n")) for n, t in trailers.items()]
    late = chunked(WHOLE[:-2] + TOKEN + b"\r\n", common=b"")
    found.append(Raw("trailer, the token alone", late, TRAILERS))
    return found


def _fields() -> list[Raw]:
    fields = {
        "no value": b"X-A:\r\n",
        "blanks": b"X-A: \t b \t \r\n",
        "blank before the colon": b"X-A : b\r\n",
        "no name": b": b\r\n",
        "no colon": b"X-A\r\n",
        "two colons": b"X-A:: b\r\n",
        "name in quotes": b'"X-A": b\r\n',
        "name with a blank": b"X A: b\r\n",
        "name not ASCII": b"X-\xc3\xa4: b\r\n",
        "name with NUL": b"X-\0A: b\r\n",
        "value not ASCII": b"X-A: \xc3\xa4\r\n",
        "value with NUL": b"X-A: a\0b\r\n",
        "value with a carriage return": b"X-A: a\rb\r\n",
        "value with a line feed": b"X-A: a\nX-B: c\r\n",
        "value with ESC": b"X-A: \x1b[31m\r\n",
        "value with DEL": b"X-A: a\x7fb\r\n",
        "folded": b"X-A: a\r\n b\r\n",
        "folded by a tab": b"X-A: a\r\n\tb\r\n",
        "long value": b"X-A: " + b"b" * 300 + b"\r\n",
        "second token": b"X-Gitlab-Token: wrong\r\n",
        "second id": b"webhook-id: other\r\n",
        "second host": b"Host: y\r\n",
        "second type": b"Content-Type: text/plain\r\n",
        "token with underscores": b"X_Gitlab_Token: wrong\r\n",
        "event in other letters": b"x-GITLAB-event: Issue Hook\r\n",
        "expect": b"Expect: 100-continue\r\n",
        "expect in capitals": b"Expect: 100-CONTINUE\r\n",
        "expect another": b"Expect: 200-ok\r\n",
        "close": b"Connection: close\r\n",
        "keep-alive": b"Connection: keep-alive\r\n",
        "close and keep-alive": b"Connection: close, keep-alive\r\n",
        "proxy-connection": b"Proxy-Connection: close\r\n",
        "upgrade without connection": b"Upgrade: h2c\r\n",
        "connection without upgrade": b"Connection: Upgrade\r\n",
    }
    found = [Raw(f"field, {name}", post(field)) for name, field in fields.items()]
    blank = {
        "token, blank after": b"X-Gitlab-Token: right \r\n",
        "token, tab after": b"X-Gitlab-Token: right\t\r\n",
        "token, blanks before": b"X-Gitlab-Token: \t  right\r\n",
        "token, wrong": b"X-Gitlab-Token: wrong\r\n",
        "token, none": b"",
        "token, empty": b"X-Gitlab-Token:\r\n",
        "token, blank inside": b"X-Gitlab-Token: ri ght\r\n",
        "token, first wrong": b"X-Gitlab-Token: wrong\r\n" + TOKEN,
        "token, first right": TOKEN + b"X-Gitlab-Token: wrong\r\n",
    }
    found += [
        Raw(f"field, {name}", post(common=c), BLANKS if name.endswith(("blank after", "tab after")) else None)
        for name, c in blank.items()
    ]
    found += [
        Raw("field, 100", post(b"a: b\r\n" * 94)),
        Raw("field, 101", post(b"a: b\r\n" * 95), MANY),
        Raw("field, no host", post().replace(b"Host: x\r\n", b"")),
        Raw("field, empty host", post().replace(b"Host: x", b"Host:")),
        Raw("field, line feeds end them", post().replace(b"\r\n", b"\n")),
        Raw("field, carriage returns end them", post().replace(b"\r\n", b"\r")),
        Raw("field, the last line ends by a line feed", post().replace(b"\r\n\r\n", b"\r\n\n")),
    ]
    return found


def _upgrades() -> list[Raw]:
    h2c = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    web = b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    other = b"Upgrade: x\r\nConnection: upgrade\r\n"
    found = []
    for name, fields in {"h2c": h2c, "websocket": web, "another": other}.items():
        te = b"Transfer-Encoding: chunked\r\n"
        found += [
            Raw(f"upgrade, {name}", post(fields), UPGRADE),
            Raw(f"upgrade, {name}, chunked", chunked(WHOLE, fields + te), UPGRADE),
            Raw(f"upgrade, {name}, no body", HEALTH[:-2] + fields + b"\r\n", UPGRADE),
        ]
    inner = post(number=2)
    return [
        *found,
        Raw("upgrade, a request as its body", post(h2c, inner), UPGRADE),
        Raw("upgrade, HTTP/1.0", post(h2c, line=b"POST / HTTP/1.0")),
        Raw("upgrade, then a request", post(h2c) + post(number=2), UPGRADE),
        Raw("connect", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
        Raw("connect with a body", post(line=b"CONNECT x:80 HTTP/1.1")),
        Raw("connect with a request as its body", post(line=b"CONNECT x:80 HTTP/1.1", body=inner)),
        Raw("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Raw("TLS", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(range(60))),
    ]


def _sequences() -> list[Raw]:
    second, third = post(number=2), post(number=3)
    close = b"Connection: close\r\n"
    requests = b'"' + HEALTH.replace(b"\r\n", b" ") * 3 + b'"'
    misleading = b'{"a": "POST / HTTP/1.1\\r\\n"}'
    return [
        Raw("sequence, two", post() + second),
        Raw("sequence, three", post() + second + third),
        Raw(
            "sequence, lengths first",
            post(b"X-A: b\r\n", common=b"Content-Length: 8\r\n" + TOKEN, length=b"") * 2,
        ),
        Raw("sequence, the same twice", post() + post()),
        Raw("sequence, a GET between", post() + HEALTH + second),
        Raw("sequence, GETs", HEALTH * 5),
        Raw("sequence, GETs and a post", HEALTH * 3 + post()),
        Raw("sequence, chunked first", chunked(WHOLE) + second),
        Raw("sequence, chunked second", post() + chunked(WHOLE, number=2)),
        Raw("sequence, trailers between", chunked(WHOLE[:-2] + b"X-A: b\r\n\r\n") + second),
        Raw("sequence, empty lines between", post() + b"\r\n\r\n" + second),
        Raw("sequence, close first", post(close) + second),
        Raw("sequence, close last", post() + post(close, number=2)),
        Raw("sequence, HTTP/1.0 first", post(line=b"POST / HTTP/1.0") + second),
        Raw("sequence, garbage after", post() + b"garbage\r\n\r\n", ORDER),
        Raw("sequence, NULs after", post() + bytes(8), ORDER),
        Raw("sequence, garbage between", post() + b"\x01\x02\r\n" + second, ORDER),
        Raw("sequence, a length too short", post(length=b"Content-Length: 7\r\n") + second, ORDER),
        Raw("sequence, elsewhere first", post(line=b"POST /x HTTP/1.1") + second),
        Raw("sequence, not JSON first", post(body=b"{") + second),
        Raw("sequence, a body like a request", post(body=misleading) + second),
        Raw("sequence, a body of requests", post(body=requests) + second),
        Raw("sequence, half a request after", post() + b"POST / HTT"),
        Raw("sequence, half a head after", post() + second[:60]),
        Raw("sequence, half a body after", post() + second[:-3]),
    ]


TABLE: Final = [
    *_lines(),
    *_lengths(),
    *_transfer_encodings(),
    *_fields(),
    *_upgrades(),
    *_sequences(),
]
