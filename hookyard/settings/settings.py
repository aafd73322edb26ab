"""All settings: their environment variables, defaults and constraints.

Rule: settings are read from the environment here and nowhere else, and every fault is reported at once.
The documentation has one table of them all, which a test compares with this class. Secrets may come from
files instead.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hookyard.redis.urls import check_url, masked, passwords, with_password
from hookyard.settings.consistency import inconsistencies
from hookyard.settings.limits import KEPT_RUNS
from hookyard.settings.secret_files import SecretFiles, UnusableSecret, is_placeholder
from hookyard.settings.source_names import DEFAULT_SOURCE
from hookyard.settings.sources import read_sources, unauthenticated
from hookyard.settings.types import (
    DEFAULT_PORT,
    ConsolePort,
    Directory,
    Entries,
    HostCount,
    KeepMemory,
    LowerCase,
    MemoryLimit,
    MetricsPort,
    Names,
    Port,
    Secrets,
    available_cores,
)
from hookyard.telemetry.scrubber import keep_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGNING_KEY_BYTES: Final = 32
_HOUR_S: Final = 3600
_DAY_S: Final = 24 * _HOUR_S
_MONTH_S: Final = 30 * _DAY_S
_CENTURY_DAYS: Final = 36_500
_HOLD_SECRETS: Final = (
    *("REDIS_URL", "REDIS_PASSWORD", "GL_SECRET", "GL_SIGNING_TOKEN", "GL_ACCESS_TOKEN"),
    *(
        "HOOKYARD_CONSOLE_USERS",
        "HOOKYARD_CONSOLE_TOKENS",
        "HOOKYARD_CONSOLE_SECRET",
        "HOOKYARD_CONSOLE_LINK",
    ),
)
_HANDLERS: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*|[\w.-]+")
"""``module:router``, where both may be dotted; or the name of an entry point."""


class SettingsError(Exception):
    """Settings that cannot be used; ``faults`` says of each what to do, without secrets."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(["These settings cannot be used:", *(f"  {fault}" for fault in faults)]))


def _setting(*names: str, **options: Any) -> Any:
    return Field(validation_alias=AliasChoices(*names), **options)


class Settings(BaseSettings):
    """The settings of all processes, made by :func:`load`; each process uses those that it needs."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, allow_inf_nan=False)

    # Redis
    redis_url: str = _setting("REDIS_URL", default="redis://127.0.0.1:6379/0", repr=False)
    redis_password: SecretStr | None = _setting("REDIS_PASSWORD", default=None)
    prefix: str = _setting("HOOKYARD_PREFIX", default="hookyard", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    redis_timeout_s: float = _setting("HOOKYARD_REDIS_TIMEOUT_S", default=1.0, gt=0, le=5)
    min_replicas: int = _setting("HOOKYARD_MIN_REPLICAS", default=0, ge=0)

    # Authentication of webhooks
    secret_tokens: Secrets = _setting("GL_SECRET", default=())
    signing_tokens: Secrets = _setting("GL_SIGNING_TOKEN", default=())
    signature_tolerance_s: int = _setting("HOOKYARD_SIGNATURE_TOLERANCE_S", default=300, ge=1)
    allow_unauthenticated: bool = _setting("HOOKYARD_ALLOW_UNAUTHENTICATED", default=False)
    allowed_hosts: Names = _setting("HOOKYARD_ALLOWED_HOSTS", default=())

    # Webhooks in GitLab
    watch: Names = _setting("HOOKYARD_WATCH", default=())
    watch_enable: bool = _setting("HOOKYARD_WATCH_ENABLE", default=False)
    watch_import: bool = _setting("HOOKYARD_WATCH_IMPORT", default=False)
    public_url: str = _setting("HOOKYARD_PUBLIC_URL", default="")

    # Several GitLabs
    sources: Names = _setting("HOOKYARD_SOURCES", default=())
    _by_source: dict[str, Settings] = PrivateAttr(default_factory=dict)

    # GitLab's REST API
    gitlab_url: str = _setting("GL_URL", default="https://gitlab.com")
    access_token: SecretStr | None = _setting("GL_ACCESS_TOKEN", default=None)
    requester: str = _setting("HOOKYARD_REQUESTER", default="hookyard", min_length=1)
    gitlab_timeout_s: float = _setting("HOOKYARD_GITLAB_TIMEOUT_S", default=30.0, gt=0, le=_DAY_S)
    gitlab_connections: int = _setting("HOOKYARD_GITLAB_CONNECTIONS", default=50, ge=1)
    gitlab_wait_s: float = _setting("HOOKYARD_GITLAB_WAIT_S", default=5.0, ge=0, le=_DAY_S)

    # Ingress
    host: str = _setting("HOOKYARD_HOST", default="127.0.0.1", min_length=1)
    port: Port = _setting("HOOKYARD_PORT", default=DEFAULT_PORT, ge=0, le=65535)
    spool_dir: Directory | None = _setting("HOOKYARD_SPOOL_DIR", default=None)
    spool_max_bytes: int = _setting("HOOKYARD_SPOOL_MAX_BYTES", default=1024**3, ge=1024**2)
    max_held_bytes: int = _setting("HOOKYARD_MAX_HELD_BYTES", default=128 * 1024**2, ge=1024**2)
    max_connections: int = _setting("HOOKYARD_MAX_CONNECTIONS", default=2000, ge=1, le=100_000)
    keep_alive_s: float = _setting("HOOKYARD_KEEP_ALIVE_S", default=130.0, gt=0, le=_HOUR_S)
    shutdown_delay_s: float = _setting("HOOKYARD_SHUTDOWN_DELAY_S", default=2.0, ge=0, le=_HOUR_S)
    max_body_bytes: int = _setting("HOOKYARD_MAX_BODY_BYTES", default=25 * 1024 * 1024, ge=1)

    # Worker
    handlers: str = _setting("HOOKYARD_HANDLERS", default="")
    burst: bool = _setting("HOOKYARD_BURST", default=False)
    reload: bool = _setting("HOOKYARD_RELOAD", default=False)
    slots: int = _setting("HOOKYARD_SLOTS", default=100, ge=1, le=10_000)
    lease_s: float = _setting("HOOKYARD_LEASE_S", default=10.0, ge=1, le=_HOUR_S)
    max_attempts: int = _setting("HOOKYARD_MAX_ATTEMPTS", default=8, ge=1, lt=KEPT_RUNS)
    backoff_s: float = _setting("HOOKYARD_BACKOFF_S", default=5.0, gt=0, le=_MONTH_S)
    max_backoff_s: float = _setting("HOOKYARD_MAX_BACKOFF_S", default=10_800.0, gt=0, le=_MONTH_S)
    handler_timeout_s: float = _setting("HOOKYARD_HANDLER_TIMEOUT_S", default=60.0, gt=0, le=_DAY_S)
    drain_s: float = _setting("HOOKYARD_DRAIN_S", default=30.0, ge=0, le=_DAY_S)
    max_crashes: int = _setting("HOOKYARD_MAX_CRASHES", default=3, ge=1)
    hosts: HostCount = _setting("HOOKYARD_HOSTS", default=1, ge=0, le=1_000)
    host_max_attempts: int = _setting("HOOKYARD_HOST_MAX_ATTEMPTS", default=0, ge=0)
    host_max_memory_bytes: int = _setting("HOOKYARD_HOST_MAX_MEMORY_BYTES", default=0, ge=0)

    # Retention of finished deliveries
    keep_succeeded_days: float = _setting("HOOKYARD_KEEP_SUCCEEDED_DAYS", default=7.0, ge=0, le=_CENTURY_DAYS)
    keep_succeeded_count: int = _setting("HOOKYARD_KEEP_SUCCEEDED_COUNT", default=1_000_000, ge=0)
    keep_failed_days: float = _setting("HOOKYARD_KEEP_FAILED_DAYS", default=90.0, ge=0, le=_CENTURY_DAYS)
    keep_failed_count: int = _setting("HOOKYARD_KEEP_FAILED_COUNT", default=100_000, ge=0)
    keep_memory: KeepMemory = _setting("HOOKYARD_KEEP_MEMORY", default=MemoryLimit(share=0.75))

    # Logs, and the worker's /metrics and /health (port 0: none)
    log_level: LowerCase = _setting(
        "HOOKYARD_LOG_LEVEL", default="info", pattern="^(debug|info|warning|error)$"
    )
    log_format: LowerCase = _setting("HOOKYARD_LOG_FORMAT", default="auto", pattern="^(auto|json|console)$")
    metrics_port: MetricsPort = _setting("HOOKYARD_METRICS_PORT", default=0, ge=0, le=65535)

    # Console
    console_port: ConsolePort = _setting("HOOKYARD_CONSOLE_PORT", default=8001, ge=0, le=65535)
    console_hosts: Names = _setting("HOOKYARD_CONSOLE_HOSTS", default=())
    console_secure: bool = _setting("HOOKYARD_CONSOLE_SECURE", default=False)
    console_users: Entries = _setting("HOOKYARD_CONSOLE_USERS", default=())
    console_tokens: Entries = _setting("HOOKYARD_CONSOLE_TOKENS", default=())
    console_secret: SecretStr | None = _setting("HOOKYARD_CONSOLE_SECRET", default=None)
    console_link: SecretStr | None = _setting("HOOKYARD_CONSOLE_LINK", default=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - this signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the strongest first: arguments, files of secrets, the environment."""
        files = SecretFiles(settings_cls, variables=_HOLD_SECRETS, environment=os.environ)
        return init_settings, files, env_settings

    @field_validator(
        *("redis_url", "redis_password", "secret_tokens", "signing_tokens", "access_token"),
        *("console_users", "console_tokens", "console_secret", "console_link"),
        mode="before",
    )
    @classmethod
    def _check_secret(cls, value: object) -> object:
        if isinstance(value, UnusableSecret):
            raise ValueError(value.why)  # noqa: TRY004 - pydantic wants this one
        if isinstance(value, str) and is_placeholder(value):
            raise ValueError("this is a placeholder from an example; set the real value")
        return value

    @field_validator("secret_tokens", "signing_tokens")
    @classmethod
    def _check_tokens(cls, tokens: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for token in tokens:
            if not token.get_secret_value().isprintable():
                raise ValueError("it holds a line end or another control character")
        return tokens

    @field_validator("access_token")
    @classmethod
    def _check_access_token(cls, token: SecretStr | None) -> SecretStr | None:
        """Drop blanks and line ends around the token, and refuse one that no header can carry."""
        stripped = token.get_secret_value().strip() if token else ""
        if not re.fullmatch("[!-~]*", stripped):
            raise ValueError("it holds what no token has: a blank, a line end or a character beyond ASCII")
        return SecretStr(stripped) if stripped else None

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: str) -> str:
        check_url(url)
        return url

    @field_validator("gitlab_url")
    @classmethod
    def _check_gitlab_url(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("it must be the address of a GitLab, such as https://gitlab.example.com")
        if "@" in parts.netloc:
            raise ValueError("it must hold no user and no password: set GL_ACCESS_TOKEN")
        if parts.query or parts.fragment or not re.fullmatch("[!-~]*", url):
            raise ValueError("it must be an address without blanks, query and fragment")
        return url.rstrip("/").removesuffix("/api/v4").rstrip("/")

    @field_validator("handlers")
    @classmethod
    def _check_handlers(cls, text: str) -> str:
        for each in filter(None, map(str.strip, text.split(","))):
            if not _HANDLERS.fullmatch(each):
                raise ValueError("it must name a module and its router, such as mybot.handlers:router")
        return text

    @field_validator("signing_tokens")
    @classmethod
    def _check_signing_tokens(cls, tokens: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for position, token in enumerate(tokens, 1):
            try:
                decode_signing_token(token.get_secret_value())
            except ValueError as exc:
                raise ValueError(f"token {position} {exc}") from None
        return tokens

    @property
    def by_source(self) -> dict[str, Settings]:
        """The settings for each GitLab, which differ in address and secrets; ``default`` for the only one."""
        return self._by_source if self.sources else {DEFAULT_SOURCE: self}

    @property
    def lease_ms(self) -> int:
        """The lease in whole milliseconds."""
        return int(self.lease_s * 1000)

    @property
    def host_count(self) -> int:
        """How many hosts run coroutines: ``HOOKYARD_HOSTS``, or one for each core."""
        return self.hosts or available_cores()

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
        raise ValueError("does not begin with whsec_")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64 after whsec_") from None
    if len(key) != SIGNING_KEY_BYTES:
        raise ValueError(f"holds {len(key)} bytes instead of {SIGNING_KEY_BYTES}")
    return key


def variable(field: str) -> str:
    """Return the environment variable of a field of :class:`Settings`."""
    alias = Settings.model_fields[field].validation_alias
    assert isinstance(alias, AliasChoices)  # noqa: S101 - every field is made by _setting
    return str(alias.choices[0])


def load(**given: object) -> Settings:
    """Return the settings from the environment; *given* ones, by environment variable, win over it.

    :raises SettingsError: naming every fault at once.
    """
    return _load(given, lambda _settings: [])


def _load(given: dict[str, object], check: Callable[[Settings], list[str]]) -> Settings:
    settings, faulty = _read(given)
    further = inconsistencies(
        lease_s=settings.lease_s,
        redis_timeout_s=settings.redis_timeout_s,
        redis_url=settings.redis_url if "redis_url" in settings.model_fields_set else None,
        has_redis_password=settings.redis_password is not None,
    )
    settings._by_source, wrong = read_sources(  # noqa: SLF001 - our own
        settings.sources, {**os.environ, **given}, lambda values: _read({**given, **values})
    )
    further += wrong
    further += check(settings)
    # a consequence of a fault that is reported already is not reported as another one
    faults = [*faulty.values(), *(fault for fault in further if not any(name in fault for name in faulty))]
    if faults:
        raise SettingsError(faults)
    if settings.redis_password is not None:
        url = with_password(settings.redis_url, settings.redis_password.get_secret_value())
        settings = settings.model_copy(update={"redis_url": url})
    for one in (settings, *settings.by_source.values()):
        keep_out(_secrets(one))
    return settings


def _secrets(settings: Settings) -> Iterator[str]:
    """Yield what no text may show; what ``HOOKYARD_…`` settings hold is no secret."""
    for held in (*settings.secret_tokens, *settings.signing_tokens, settings.access_token):
        if held is not None:
            yield held.get_secret_value()
    yield from passwords(settings.redis_url)


def _read(given: dict[str, object]) -> tuple[Settings, dict[str, str]]:
    """Return the settings, and the fault of each variable that cannot be used and has its default instead."""
    try:
        return Settings(**given), {}  # type: ignore[arg-type]
    except ValidationError as exc:
        faults = {str(error["loc"][0]): _fault(error) for error in exc.errors()}
    defaults = {variable(name): field.default for name, field in Settings.model_fields.items()}
    usable = {**given, **{name: defaults[name] for name in faults}}
    return Settings(**usable), faults


def _fault(error: Any) -> str:
    if isinstance(error["input"], UnusableSecret):
        return error["input"].why
    name, text = str(error["loc"][0]), str(error["msg"]).removeprefix("Value error, ")
    shown = "" if name in _HOLD_SECRETS else f"={masked(str(error['input']))}"
    return f"{name}{shown}: {text[:1].lower()}{text[1:]}"


def load_or_exit(check: Callable[[Settings], list[str]] | None = None) -> Settings:
    """Return the settings of a process; faults are printed in one message and end it with exit code 2.

    :param check: returns what keeps this process from starting although each setting is valid.
    """
    try:
        return _load({}, check or (lambda _settings: []))
    except SettingsError as exc:
        sys.stderr.write(f"{exc}\n")
        raise SystemExit(2) from None


def ingress_faults(settings: Settings) -> list[str]:
    """Return what keeps an ingress from starting although each setting is valid."""
    if settings.sources:
        return unauthenticated(settings.by_source, allow=settings.allow_unauthenticated)
    if settings.secret_tokens or settings.signing_tokens or settings.allow_unauthenticated:
        return []
    return [
        (
            "webhooks cannot be authenticated: set GL_SIGNING_TOKEN (GitLab 19 and later) or GL_SECRET to "
            "the webhook's token in GitLab, or HOOKYARD_ALLOW_UNAUTHENTICATED=true to accept any request"
        )
    ]


def worker_faults(settings: Settings) -> list[str]:
    """Return what keeps a worker from starting although each setting is valid."""
    if settings.handlers:
        return []
    return ["HOOKYARD_HANDLERS is not set: set it to your bot's module and router, such as mybot:router"]


def working_directory() -> Path:
    """Return the directory of ``hookyard up``: ``.hookyard`` in the current directory."""
    return Path.cwd() / ".hookyard"
