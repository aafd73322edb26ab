"""Findings about settings, Redis, handlers and GitLab. Rule: pure."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from hookyard.cli.check.finding import Finding, fault, ok, risk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hookyard.settings.settings import Settings

OLDEST_REDIS: Final = (6, 2)
_EXPIRES_SOON_DAYS: Final = 14
_NEARLY_FULL: Final = 0.9
EXAMPLE_BOT: Final = "handlers:router"


def of_settings(
    settings: Settings, *, given: int, unknown: list[str], ingress_faults: list[str]
) -> list[Finding]:
    """Judge settings that are valid.

    :param given: how many the environment sets.
    """
    findings = [ok("settings", f"all valid; {given} set in the environment")]
    findings += [risk("settings", warning, "Correct its name or unset it.") for warning in unknown]
    findings += [fault("sender", *_what_and_todo(text)) for text in ingress_faults]
    signing = sum(len(one.signing_tokens) for one in settings.by_source.values())
    tokens = sum(len(one.secret_tokens) for one in settings.by_source.values())
    if signing or tokens:
        findings.append(
            ok(
                "sender",
                f"webhooks are authenticated by {_many(signing, 'signing token')} "
                f"and {_many(tokens, 'secret token')}",
            )
        )
    elif settings.allow_unauthenticated:
        findings.append(
            risk(
                "sender",
                f"any request to {settings.host} port {settings.port} is accepted as GitLab's",
                "Fine on your own machine; elsewhere set GL_SIGNING_TOKEN or GL_SECRET.",
            )
        )
    if settings.spool_dir is None:
        findings.append(
            risk(
                "spool",
                "without a spool the ingress answers 503 while Redis is away, and GitLab does not retry",
                "Set HOOKYARD_SPOOL_DIR to a directory that outlives the process.",
            )
        )
    return findings


def _many(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def of_redis(url: str, info: Mapping[str, Any], config: Mapping[str, str] | None) -> list[Finding]:
    """Judge a Redis by its INFO and its CONFIG.

    :param config: ``None`` where CONFIG GET is refused, as by managed Redis.
    """
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("redis_version", "0"))
    if _numbers(version) < OLDEST_REDIS:
        findings = [fault("redis", f"{name} {version} at {url} is too old", "Use 6.2 or later.")]
    else:
        findings = [ok("redis", f"{name} {info.get('valkey_version', version)} at {url} answers")]
    if info.get("role") == "slave":
        findings.append(
            fault(
                "redis",
                "it is a replica, which accepts no writes",
                "Point REDIS_URL at the master, or at Sentinel: redis+sentinel://host:port/master",
            )
        )
    return [*findings, *_persistence(info, config), *_memory(info, config)]


def _persistence(info: Mapping[str, Any], config: Mapping[str, str] | None) -> list[Finding]:
    fsync = (config or {}).get("appendfsync")
    if not int(info.get("aof_enabled", 0)):
        return [
            risk(
                "persistence",
                "no append-only file: a crash of Redis loses everything since the last snapshot",
                "Set `appendonly yes`, or the provider's setting for it.",
            )
        ]
    if info.get("aof_last_write_status", "ok") != "ok":
        return [
            fault(
                "persistence",
                "the append-only file cannot be written",
                "See Redis's log; its disk may be full.",
            )
        ]
    if fsync == "no":
        return [
            risk(
                "persistence",
                "appendfsync is no: a crash of the machine loses up to half a minute",
                "Set `appendfsync everysec`, or `always` to lose nothing.",
            )
        ]
    if fsync == "always":
        return [ok("persistence", "append-only file, synced before every answer")]
    if fsync == "everysec":
        return [ok("persistence", "append-only file, synced every second: a crash loses at most that second")]
    return [
        ok("persistence", "append-only file; how often it is synced is unknown, since CONFIG GET is refused")
    ]


def _memory(info: Mapping[str, Any], config: Mapping[str, str] | None) -> list[Finding]:
    policy = str((config or {}).get("maxmemory-policy") or info.get("maxmemory_policy") or "")
    limit, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    findings = []
    if policy == "noeviction":
        findings.append(ok("eviction", "noeviction: a full Redis refuses writes and deletes nothing"))
    elif not policy:
        findings.append(
            risk("eviction", "the eviction policy is unknown", "Make sure that it is noeviction.")
        )
    else:
        judge = fault if limit else risk
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
            risk(
                "memory",
                f"{_mib(used)} used, no limit: a flood of deliveries can use all of the machine's memory",
                "Set `maxmemory` below the machine's memory; a full Redis refuses, and loses nothing.",
            )
        )
    elif used > _NEARLY_FULL * limit:
        findings.append(
            risk(
                "memory",
                f"{_mib(used)} of {_mib(limit)} used",
                "Raise `maxmemory`, or keep finished deliveries for less time.",
            )
        )
    else:
        findings.append(ok("memory", f"{_mib(used)} of {_mib(limit)} used"))
    return findings


def of_missing_handlers(faults: list[str]) -> list[Finding]:
    """Judge that no handlers are set."""
    return [fault("handlers", *_what_and_todo(text)) for text in faults]


def _what_and_todo(text: str) -> tuple[str, str]:
    """Return the two halves of a fault of the settings, ``what is wrong: what to do``."""
    what, _, todo = text.partition(": ")
    return what, f"{todo[:1].upper()}{todo[1:]}."


def of_handlers(report: Mapping[str, Any], *, gitlab_url: str | None = None) -> list[Finding]:
    """Judge the report of ``handlers_probe``.

    :param gitlab_url: a GitLab that is not the emulator.
    """
    if report["error"]:
        return [fault("handlers", report["error"])]
    found: dict[str, list[str]] = report["handlers"]
    if not found:
        return [
            risk(
                "handlers",
                f"{report['import_string']} registers no handlers: every delivery will be ignored",
                'Register one with @router.register("Issue Hook", action="open").',
            )
        ]
    warnings: dict[str, list[str]] = report["warnings"]
    findings = [*_example_bot(report, gitlab_url)]
    for name, events in found.items():
        findings.append(ok("handler", f"{name} for {', '.join(events)}"))
        findings += [risk("handler", f"{name}: {text}", "") for text in warnings.get(name, ())]
    return findings


def _example_bot(report: Mapping[str, Any], gitlab_url: str | None) -> list[Finding]:
    if report["import_string"] != EXAMPLE_BOT or gitlab_url is None:
        return []
    text = f"the example bot runs, which greets people at {gitlab_url}"
    return [risk("handlers", text, "Set HOOKYARD_HANDLERS to your own bot.")]


def of_gitlab(report: Mapping[str, Any], *, today: date, is_emulator: bool = False) -> list[Finding]:
    """Judge the report of ``gitlab_probe``; the emulator needs no token."""
    url, token = report["url"], report["token"]
    if report["error"]:
        return [
            fault("gitlab", report["error"], "Correct GL_URL, or find out what is wrong with that GitLab.")
        ]
    version = f" {report['version']}" if report["version"] else ""
    findings = [ok("gitlab", f"GitLab{version} at {url} answers")]
    if token is None and is_emulator:
        findings.append(ok("token", "none is set, and the emulator needs none"))
    elif token is None:
        text = "none is set: handlers can only read what is public"
        findings.append(risk("token", text, "Set GL_ACCESS_TOKEN to a token with the scope api."))
    elif token["valid"] is False:
        text = f"GitLab at {url} rejects GL_ACCESS_TOKEN"
        findings.append(
            fault("token", text, "Create a new token; this one may have expired or been revoked.")
        )
    else:
        findings.append(_token(token, today))
    return findings


def _token(token: Mapping[str, Any], today: date) -> Finding:
    whose = f"belongs to {token['user']}" if token["user"] else "valid"
    scopes = token["scopes"]
    text = whose + (f", scopes {', '.join(scopes)}" if scopes else "")
    if token["expires_at"]:
        text += f", expires on {token['expires_at']}"
        left = (date.fromisoformat(token["expires_at"]) - today).days
        if left < _EXPIRES_SOON_DAYS:
            return risk("token", f"{text}: {_many(max(left, 0), 'day')} left", "Rotate it before it expires.")
    if scopes and "api" not in scopes:
        return risk("token", f"{text}: handlers cannot write with it", "Create one with the scope api.")
    return ok("token", text)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:,.1f} MiB"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
