"""The delivery that `send` sends: a sample or a file, amended, under the right event header.

Pure: bytes, times and ids come in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitlab_emulator.hooks import request as hooks
from gitlab_emulator.hooks.signing import signing_key
from gitlab_emulator.samples.amend import amended
from gitlab_emulator.samples.catalogue import SAMPLES, closest
from gitlab_emulator.samples.kinds import header_of
from gitlab_emulator.samples.scene import scene_of
from gitlab_emulator.seed import seed

if TYPE_CHECKING:
    from datetime import datetime


class UnsendableError(ValueError):
    """What was asked for cannot be sent; the text says why and what can be done."""


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A delivery but for its ids and time. `name` is what reports call it, `instance` its GitLab."""

    name: str
    event: str
    body: bytes
    instance: str
    secrets: hooks.Secrets
    version: hooks.Version


def prepare(
    *,
    sample: str | None,
    event: str | None,
    file_bytes: bytes | None,
    amendments: list[str],
    gitlab_url: str,
    secrets: hooks.Secrets,
    now: datetime,
    version: hooks.Version = hooks.NEWEST,
) -> Outgoing:
    """The delivery that the options ask for.

    A file's bytes go out as they are, unless amendments make it necessary to read them as JSON. The
    header is `event`, else the sample's, else what the file's `object_kind` tells. Raises
    UnsendableError: unknown sample, no event to name, a bad amendment, a signing token that is none.
    """
    if sample is not None and sample not in SAMPLES:
        raise UnsendableError(_unknown(sample))
    if sample is None and file_bytes is None:
        raise UnsendableError("name a sample (--list shows them), or give a body of your own with --file")
    instance = gitlab_url.rstrip("/")
    try:
        if secrets.signing_token:
            signing_key(secrets.signing_token)
        body = _body(sample, file_bytes, amendments, instance, now)
    except ValueError as error:
        raise UnsendableError(str(error)) from error
    header = event or (SAMPLES[sample].event if sample is not None else _header_of(body))
    return Outgoing(
        name=sample or header,
        event=header,
        body=body,
        instance=instance,
        secrets=secrets,
        version=version,
    )


def headers(outgoing: Outgoing, *, ids: hooks.DeliveryIds, timestamp_s: int) -> dict[str, str]:
    """The headers for sending it now, under these ids."""
    return hooks.headers(
        event=outgoing.event,
        ids=ids,
        timestamp_s=timestamp_s,
        body=outgoing.body,
        instance=outgoing.instance,
        secrets=outgoing.secrets,
        version=outgoing.version,
    )


def _body(
    sample: str | None, file_bytes: bytes | None, amendments: list[str], instance: str, now: datetime
) -> bytes:
    if file_bytes is not None:
        if not amendments:
            return file_bytes
        try:
            body: object = json.loads(file_bytes)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                "--set needs a file that is valid JSON; without --set any bytes are sent as they are"
            ) from error
    else:
        body = SAMPLES[sample or ""].build(scene_of(seed(), base_url=instance, now=now))
    return hooks.encode(amended(body, amendments))


def _header_of(body: bytes) -> str:
    try:
        header = header_of(json.loads(body))
    except (ValueError, RecursionError):
        header = None
    if header is None:
        raise UnsendableError('the file does not tell what kind of event it is: say --event "Push Hook"')
    return header


def _unknown(sample: str) -> str:
    like = closest(sample)
    guess = f" Did you mean {like}?" if like else ""
    return f"there is no sample {sample!r}.{guess} See all of them with --list."
