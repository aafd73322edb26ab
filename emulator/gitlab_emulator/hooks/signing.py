"""The signature that GitLab 19 puts on a delivery whose hook has a signing token.

Pure. The algorithm: "Signing tokens" in https://docs.gitlab.com/user/project/integrations/webhooks/ ,
which is that of https://www.standardwebhooks.com/ with ids and times of GitLab's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"
KEY_BYTES = 32


def signing_key(signing_token: str) -> bytes:
    """The key in a signing token (`whsec_` and base64 of 32 bytes); ValueError when it is none."""
    msg = f"a signing token is {PREFIX} followed by the base64 of {KEY_BYTES} bytes"
    if not signing_token.startswith(PREFIX):
        raise ValueError(msg)
    try:
        key = base64.b64decode(signing_token.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(msg) from error
    if len(key) != KEY_BYTES:
        raise ValueError(msg)
    return key


def signature(signing_token: str, *, delivery_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of `webhook-signature`: `v1,` and the base64 of an HMAC-SHA256.

    Signed are the id, the unix time in seconds and the body exactly as sent, joined by dots.
    """
    signed = f"{delivery_id}.{timestamp_s}.".encode() + body
    digest = hmac.new(signing_key(signing_token), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
