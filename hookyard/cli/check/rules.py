"""What ``hookyard check`` makes of what it found out: ok, risk or fault, and what to do. Rule: pure.

A fault keeps deliveries from being kept or handled; a risk lets some be lost, or let in, one day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hookyard.settings.settings import Settings

OLDEST_REDIS: Final = (6, 2)
_EXPIRES_SOON_DAYS: Final = 14
_NEARLY_FULL: Final = 0.9


class Level(StrEnum):
    """How grave a finding is."""

    OK = "ok"
    RISK = "risk"
    FAULT = "fault"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at: ``about`` what, ``text`` says how it is, ``todo`` what to do."""

    level: Level
    about: str
    text: str
    todo: str = ""


def _ok(about: str, text: str) -> Finding:
    return Finding(level=Level.OK, about=about, text=text)


def _risk(about: str, text: str, todo: str) -> Finding:
    return Finding(level=Level.RISK, about=about, text=text, todo=todo)


def _fault(about: str, text: str, todo: str) -> Finding:
    return Finding(level=Level.FAULT, about=about, text=text, todo=todo)


def of_settings(
    settings: Settings, *, given: int, unknown: list[str], ingress_faults: list[str]
) -> list[Finding]:
    """Judge settings that can be read.

    :param given: how many are set in the environment.
    """
    findings = [_ok("settings", f"all can be used; {given} set in the environment")]
    findings += [_risk("settings", warning, "Correct its name or unset it.") for warning in unknown]
    for fault in ingress_faults:
        what, _, todo = fault.partition(": ")
        findings.append(_fault("sender", what, f"{todo[:1].upper()}{todo[1:]}."))
    secrets = len(settings.secret_tokens) + len(settings.signing_tokens)
    if secrets:
        findings.append(
            _ok(
                "sender",
                f"GitLab proves itself by {_many(len(settings.signing_tokens), 'signing token')} "
                f"or {_many(len(settings.secret_tokens), 'secret token')}",
            )
        )
    elif settings.allow_unauthenticated:
        findings.append(
            _risk(
                "sender",
                f"whoever reaches {settings.host} port {settings.port} is believed to be GitLab",
                "Fine on one's own machine; elsewhere set GL_SIGNING_TOKEN or GL_SECRET.",
            )
        )
    if settings.spool_dir is None:
        findings.append(
            _risk(
                "spool",
                "while Redis is away the ingress answers 503, and GitLab does not send again",
                "Set HOOKYARD_SPOOL_DIR to a directory on a disk that outlives the process.",
            )
        )
    return findings


def _many(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def of_redis(url: str, info: Mapping[str, Any], config: Mapping[str, str] | None) -> list[Finding]:
    """Judge a Redis by its INFO and, where it lets itself be asked, its CONFIG.

    :param config: ``None`` where CONFIG GET is refused, as managed ones do.
    """
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("redis_version", "0"))
    if _numbers(version) < OLDEST_REDIS:
        findings = [_fault("redis", f"{name} {version} at {url} is too old", "Run 6.2 or later.")]
    else:
        findings = [_ok("redis", f"{name} {info.get('valkey_version', version)} at {url} answers")]
    if info.get("role") == "slave":
        findings.append(
            _fault(
                "redis",
                "it is a replica, which takes no writes",
                "Point REDIS_URL at the master, or at Sentinel: redis+sentinel://host:port/master",
            )
        )
    return [*findings, *_persistence(info, config), *_memory(info, config)]


def _persistence(info: Mapping[str, Any], config: Mapping[str, str] | None) -> list[Finding]:
    fsync = (config or {}).get("appendfsync")
    if not int(info.get("aof_enabled", 0)):
        return [
            _risk(
                "persistence",
                "no append-only file: what came since the last snapshot is lost when Redis crashes",
                "Set `appendonly yes` in its configuration, or the provider's setting of that meaning.",
            )
        ]
    if info.get("aof_last_write_status", "ok") != "ok":
        return [
            _fault(
                "persistence", "the append-only file cannot be written", "See Redis's log; is its disk full?"
            )
        ]
    if fsync == "no":
        return [
            _risk(
                "persistence",
                "appendfsync is no: a crash of the machine loses up to half a minute",
                "Set `appendfsync everysec`, or `always` to lose nothing.",
            )
        ]
    if fsync == "always":
        return [_ok("persistence", "append-only file, written out before every answer")]
    if fsync == "everysec":
        return [_ok("persistence", "append-only file, written out every second: a crash loses one at most")]
    return [
        _ok("persistence", "append-only file; CONFIG GET is refused, so how often it is written is unknown")
    ]


def _memory(info: Mapping[str, Any], config: Mapping[str, str] | None) -> list[Finding]:
    policy = str((config or {}).get("maxmemory-policy") or info.get("maxmemory_policy") or "")
    limit, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    findings = []
    if policy == "noeviction":
        findings.append(_ok("eviction", "noeviction: a full Redis refuses, and deletes nothing"))
    elif not policy:
        findings.append(
            _risk("eviction", "the eviction policy is not to be learned", "See to it that it is noeviction.")
        )
    else:
        judge = _fault if limit else _risk
        findings.append(
            judge(
                "eviction",
                f"{policy}: a full Redis deletes deliveries"
                + ("" if limit else ", once it has a memory limit"),
                "Set `maxmemory-policy noeviction`.",
            )
        )
    if not limit:
        findings.append(
            _risk(
                "memory",
                f"{_mib(used)} used, no limit: a flood takes all of the machine's",
                "Set `maxmemory` below what the machine has; what does not fit is refused, not lost.",
            )
        )
    elif used > _NEARLY_FULL * limit:
        findings.append(
            _risk(
                "memory", f"{_mib(used)} of {_mib(limit)} used", "Give it more, or keep deliveries shorter."
            )
        )
    else:
        findings.append(_ok("memory", f"{_mib(used)} of {_mib(limit)} used"))
    return findings


def of_handlers(report: Mapping[str, Any]) -> list[Finding]:
    """Judge what ``worker.diagnostics`` says of the handlers."""
    if report["error"]:
        return [_fault("handlers", report["error"], "")]
    found: dict[str, list[str]] = report["handlers"]
    if not found:
        return [
            _risk(
                "handlers",
                f"{report['import_string']} has no handlers: every delivery will be ignored",
                'Register some: @router.register("Issue Hook", action="open")',
            )
        ]
    return [_ok("handler", f"{name} for {', '.join(events)}") for name, events in found.items()]


def of_gitlab(report: Mapping[str, Any], *, today: date, is_emulator: bool = False) -> list[Finding]:
    """Judge what ``worker.diagnostics`` says of GitLab and of the token; the emulator needs none."""
    url, token = report["url"], report["token"]
    if report["error"]:
        return [_fault("gitlab", report["error"], "Correct GL_URL, or see what is the matter with it.")]
    version = f" {report['version']}" if report["version"] else ""
    findings = [_ok("gitlab", f"GitLab{version} at {url} answers")]
    if token is None and is_emulator:
        findings.append(_ok("token", "none is set, and the stand-in for GitLab wants none"))
    elif token is None:
        text = "none is set: handlers can read what is public, and write nothing"
        findings.append(_risk("token", text, "Set GL_ACCESS_TOKEN to one with the scope api."))
    elif token["valid"] is False:
        text = f"GitLab at {url} does not take GL_ACCESS_TOKEN"
        findings.append(_fault("token", text, "Make a new one; it may have expired or been revoked."))
    else:
        findings.append(_token(token, today))
    return findings


def _token(token: Mapping[str, Any], today: date) -> Finding:
    whose = f"of {token['user']}" if token["user"] else "valid"
    scopes = token["scopes"]
    text = whose + (f", scopes {', '.join(scopes)}" if scopes else "")
    if token["expires_at"]:
        text += f", until {token['expires_at']}"
        left = (date.fromisoformat(token["expires_at"]) - today).days
        if left < _EXPIRES_SOON_DAYS:
            return _risk(
                "token", f"{text}: {_many(max(left, 0), 'day')} left", "Rotate it before it expires."
            )
    if scopes and "api" not in scopes:
        return _risk("token", f"{text}: handlers cannot write with it", "Make one with the scope api.")
    return _ok("token", text)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:,.1f} MiB"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
