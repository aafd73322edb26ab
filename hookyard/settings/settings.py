"""Every setting there is: its environment variable, its default, what it must satisfy.

Rule: the only place that reads the environment for settings. All faults are named at once. README
has one table of them all; a test holds the two together. Secrets may come from files instead.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hookyard.redis.urls import check_url, masked, with_password
from hookyard.settings.consistency import misfits
from hookyard.settings.limits import KEPT_RUNS
from hookyard.settings.secret_files import SecretFiles, Unusable, is_example
from hookyard.settings.types import DEFAULT_PORT, KeepMemory, MemoryLimit, MetricsPort, Port, Secrets, Word

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNING_KEY_BYTES: Final = 32
_FORMER_NAMES: Final = {
    "HOOKYARD_TRIES": "HOOKYARD_MAX_ATTEMPTS",
    "HOOKYARD_RETRIES": "HOOKYARD_MAX_ATTEMPTS",
    "HOOKYARD_RETRY_BASE_S": "HOOKYARD_BACKOFF_S",
    "HOOKYARD_RETRY_MAX_S": "HOOKYARD_MAX_BACKOFF_S",
    "HOOKYARD_MAX_DEATHS": "HOOKYARD_MAX_CRASHES",
}
_HOUR_S: Final = 3600
_DAY_S: Final = 24 * _HOUR_S
_MONTH_S: Final = 30 * _DAY_S
_CENTURY_DAYS: Final = 36_500
_HOLD_SECRETS: Final = ("REDIS_URL", "REDIS_PASSWORD", "GL_SECRET", "GL_SIGNING_TOKEN", "GL_ACCESS_TOKEN")
_KUBERNETES_INJECTS: Final = re.compile(r"HOOKYARD_(SERVICE_|PORT(_|$)|.*_SERVICE_(HOST|PORT)|.*_PORT(_|$))")


class SettingsError(Exception):
    """Some settings cannot be used. ``faults`` names each, with what to do; no secret is in it."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(["These settings cannot be used:", *(f"  {fault}" for fault in faults)]))


def _named(*names: str, **options: Any) -> Any:
    return Field(validation_alias=AliasChoices(*names), **options)


class Settings(BaseSettings):
    """The settings of all processes; each reads what it needs. Build it with :func:`load`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, allow_inf_nan=False)

    # Redis
    redis_url: str = _named("REDIS_URL", default="redis://127.0.0.1:6379/0", repr=False)
    redis_password: SecretStr | None = _named("REDIS_PASSWORD", default=None)
    prefix: str = _named("HOOKYARD_PREFIX", default="hookyard", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    redis_timeout_s: float = _named("HOOKYARD_REDIS_TIMEOUT_S", default=1.0, gt=0, le=5)
    min_replicas: int = _named("HOOKYARD_MIN_REPLICAS", default=0, ge=0)

    # Who may send
    secret_tokens: Secrets = _named("GL_SECRET", default=())
    signing_tokens: Secrets = _named("GL_SIGNING_TOKEN", default=())
    signature_tolerance_s: int = _named("HOOKYARD_SIGNATURE_TOLERANCE_S", default=300, ge=1)
    allow_unauthenticated: bool = _named("HOOKYARD_ALLOW_UNAUTHENTICATED", default=False)

    # GitLab's REST API
    gitlab_url: str = _named("GL_URL", default="https://gitlab.com")
    access_token: SecretStr | None = _named("GL_ACCESS_TOKEN", default=None)
    requester: str = _named("HOOKYARD_REQUESTER", default="hookyard", min_length=1)
    gitlab_timeout_s: float = _named("HOOKYARD_GITLAB_TIMEOUT_S", default=30.0, gt=0, le=_DAY_S)
    gitlab_connections: int = _named("HOOKYARD_GITLAB_CONNECTIONS", default=50, ge=1)
    gitlab_wait_s: float = _named("HOOKYARD_GITLAB_WAIT_S", default=5.0, ge=0, le=_DAY_S)

    # Ingress
    host: str = _named("HOOKYARD_HOST", default="127.0.0.1", min_length=1)
    port: Port = _named("HOOKYARD_PORT", default=DEFAULT_PORT, ge=0, le=65535)
    spool_dir: Path | None = _named("HOOKYARD_SPOOL_DIR", default=None)
    spool_max_bytes: int = _named("HOOKYARD_SPOOL_MAX_BYTES", default=1024**3, ge=1024**2)
    max_held_bytes: int = _named("HOOKYARD_MAX_HELD_BYTES", default=128 * 1024**2, ge=1024**2)
    shutdown_delay_s: float = _named("HOOKYARD_SHUTDOWN_DELAY_S", default=2.0, ge=0, le=_HOUR_S)
    max_body_bytes: int = _named("HOOKYARD_MAX_BODY_BYTES", default=25 * 1024 * 1024, ge=1)

    # Worker
    handlers: str = _named("HOOKYARD_HANDLERS", default="handlers:router")
    slots: int = _named("HOOKYARD_SLOTS", default=100, ge=1, le=10_000)
    lease_s: float = _named("HOOKYARD_LEASE_S", default=10.0, ge=1, le=_HOUR_S)
    max_attempts: int = _named("HOOKYARD_MAX_ATTEMPTS", default=8, ge=1, lt=KEPT_RUNS)
    backoff_s: float = _named("HOOKYARD_BACKOFF_S", default=5.0, gt=0, le=_MONTH_S)
    max_backoff_s: float = _named("HOOKYARD_MAX_BACKOFF_S", default=10_800.0, gt=0, le=_MONTH_S)
    handler_timeout_s: float = _named("HOOKYARD_HANDLER_TIMEOUT_S", default=60.0, gt=0, le=_DAY_S)
    drain_s: float = _named("HOOKYARD_DRAIN_S", default=30.0, ge=0, le=_DAY_S)
    max_crashes: int = _named("HOOKYARD_MAX_CRASHES", default=3, ge=1)

    # What is kept of finished deliveries
    keep_succeeded_days: float = _named("HOOKYARD_KEEP_SUCCEEDED_DAYS", default=7.0, ge=0, le=_CENTURY_DAYS)
    keep_succeeded_count: int = _named("HOOKYARD_KEEP_SUCCEEDED_COUNT", default=1_000_000, ge=0)
    keep_failed_days: float = _named("HOOKYARD_KEEP_FAILED_DAYS", default=90.0, ge=0, le=_CENTURY_DAYS)
    keep_failed_count: int = _named("HOOKYARD_KEEP_FAILED_COUNT", default=100_000, ge=0)
    keep_memory: KeepMemory = _named("HOOKYARD_KEEP_MEMORY", default=MemoryLimit(share=0.75))

    # Logs, and a worker's own /metrics and /health (0: none)
    log_level: Word = _named("HOOKYARD_LOG_LEVEL", default="info", pattern="^(debug|info|warning|error)$")
    log_format: Word = _named("HOOKYARD_LOG_FORMAT", default="auto", pattern="^(auto|json|console)$")
    metrics_port: MetricsPort = _named("HOOKYARD_METRICS_PORT", default=0, ge=0, le=65535)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - this signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Say where settings come from: what is given, the secrets' files, the environment."""
        files = SecretFiles(settings_cls, variables=_HOLD_SECRETS, environment=os.environ)
        return init_settings, files, env_settings

    @field_validator(
        "redis_url", "redis_password", "secret_tokens", "signing_tokens", "access_token", mode="before"
    )
    @classmethod
    def _secret_is_a_real_one(cls, value: object) -> object:
        if isinstance(value, Unusable):
            raise ValueError(value.why)  # noqa: TRY004 - pydantic wants this one
        if isinstance(value, str) and is_example(value):
            raise ValueError("this is an example's value; put the real one in its place")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_url_is_readable(cls, url: str) -> str:
        check_url(url)
        return url

    @field_validator("gitlab_url")
    @classmethod
    def _gitlab_url_is_http(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = "it must be the address of a GitLab, such as https://gitlab.example.com"
            raise ValueError(message)
        return url.rstrip("/")

    @field_validator("handlers")
    @classmethod
    def _handlers_is_an_import_string(cls, text: str) -> str:
        module, colon, name = text.partition(":")
        if not (colon and name.isidentifier() and all(part.isidentifier() for part in module.split("."))):
            message = f"{text!r} is not module:router, such as mybot.handlers:router"
            raise ValueError(message)
        return text

    @field_validator("signing_tokens")
    @classmethod
    def _signing_tokens_are_keys(cls, tokens: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for position, token in enumerate(tokens, 1):
            try:
                decode_signing_token(token.get_secret_value())
            except ValueError as exc:
                message = f"token {position} {exc}"
                raise ValueError(message) from None
        return tokens

    @property
    def lease_ms(self) -> int:
        """The lease in whole milliseconds."""
        return int(self.lease_s * 1000)

    @property
    def masked_redis_url(self) -> str:
        """``REDIS_URL`` for logs and messages, without its password."""
        return masked(self.redis_url)


def decode_signing_token(token: str) -> bytes:
    """Return the key in a ``whsec_…`` signing token (GitLab 19: 32 bytes in standard base64).

    :raises ValueError: saying what is wrong, without the token.
    """
    prefix, _, encoded = token.partition("_")
    if prefix != "whsec":
        message = "does not begin with whsec_"
        raise ValueError(message)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        message = "is not base64 after whsec_"
        raise ValueError(message) from None
    if len(key) != SIGNING_KEY_BYTES:
        message = f"holds {len(key)} bytes instead of {SIGNING_KEY_BYTES}"
        raise ValueError(message)
    return key


def variable(field: str) -> str:
    """Return the environment variable of a field of :class:`Settings`."""
    alias = Settings.model_fields[field].validation_alias
    assert isinstance(alias, AliasChoices)  # noqa: S101 - every field is made by _named
    return str(alias.choices[0])


def load(**given: object) -> Settings:
    """Read the settings from the environment; *given* ones, by environment variable, win over it.

    :raises SettingsError: naming every fault at once.
    """
    return _load(given, lambda _settings: [])


def _load(given: dict[str, object], check: Callable[[Settings], list[str]]) -> Settings:
    settings, named = _read(given)
    unfit = misfits(
        lease_s=settings.lease_s,
        redis_timeout_s=settings.redis_timeout_s,
        redis_url=settings.redis_url if "redis_url" in settings.model_fields_set else None,
        has_redis_password=settings.redis_password is not None,
    )
    further = [*unfit, *check(settings)]
    # what follows from a fault that is named already is no second one
    faults = [*named.values(), *(fault for fault in further if not any(name in fault for name in named))]
    if faults:
        raise SettingsError(faults)
    if settings.redis_password is None:
        return settings
    url = with_password(settings.redis_url, settings.redis_password.get_secret_value())
    return settings.model_copy(update={"redis_url": url})


def _read(given: dict[str, object]) -> tuple[Settings, dict[str, str]]:
    """Return the settings, and the fault of each variable that cannot be used: it has its default."""
    try:
        return Settings(**given), {}  # type: ignore[arg-type]
    except ValidationError as exc:
        faults = {str(error["loc"][0]): _fault(error) for error in exc.errors()}
    defaults = {variable(name): field.default for name, field in Settings.model_fields.items()}
    usable = {**given, **{name: defaults[name] for name in faults}}
    return Settings(**usable), faults


def _fault(error: Any) -> str:
    if isinstance(error["input"], Unusable):
        return error["input"].why
    name, text = str(error["loc"][0]), str(error["msg"]).removeprefix("Value error, ")
    shown = "" if name in _HOLD_SECRETS else f"={masked(str(error['input']))}"
    return f"{name}{shown}: {text[:1].lower()}{text[1:]}"


def load_or_exit(check: Callable[[Settings], list[str]] | None = None) -> Settings:
    """Read the settings for a process; faults are printed in one message and end it with exit code 2.

    :param check: gives what keeps this process from starting with settings that are right in themselves.
    """
    try:
        return _load({}, check or (lambda _settings: []))
    except SettingsError as exc:
        sys.stderr.write(f"{exc}\n")
        raise SystemExit(2) from None


def ingress_faults(settings: Settings) -> list[str]:
    """Return what keeps an ingress from starting with settings that are right in themselves."""
    if settings.secret_tokens or settings.signing_tokens or settings.allow_unauthenticated:
        return []
    return [
        (
            "nobody could tell GitLab from a stranger: set GL_SIGNING_TOKEN (GitLab 19 on) or GL_SECRET "
            "to what the webhook has in GitLab, or HOOKYARD_ALLOW_UNAUTHENTICATED=true to take anything"
        )
    ]


def unknown_variables() -> list[str]:
    """Return warnings about ``HOOKYARD_…`` variables in the environment that no setting reads.

    What Kubernetes injects for a Service named hookyard is passed over.
    """
    known = {variable(field) for field in Settings.model_fields}
    warnings = []
    for name in sorted(os.environ):
        if name.startswith("HOOKYARD_") and name not in known and not _KUBERNETES_INJECTS.match(name):
            near = (
                [_FORMER_NAMES[name]]
                if name in _FORMER_NAMES
                else difflib.get_close_matches(name, known, n=1)
            )
            warnings.append(f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else ""))
    return warnings


def working_directory() -> Path:
    """Return where ``hookyard up`` keeps its things: ``.hookyard`` in the current directory."""
    return Path.cwd() / ".hookyard"
