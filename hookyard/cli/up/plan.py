"""What ``hookyard up`` is to run, and where: decided from settings and options before anything starts."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hookyard.cli.launch import child_environment, emulator_secrets, module_command
from hookyard.cli.up.child import ChildSpec
from hookyard.redis.embedded import free_port
from hookyard.settings.settings import SettingsError, ingress_faults, load

if TYPE_CHECKING:
    from hookyard.cli.up.directory import UpDirectory
    from hookyard.settings.settings import Settings

LOOPBACK: Final = "127.0.0.1"
_ANYWHERE: Final = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - looked up, not bound
_INGRESS_S: Final = 25.0
_EMULATOR_S: Final = 5.0
_SPARE_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class UpPlan:
    """What is to run. ``emulator_port`` is ``None`` where GitLab is a real one.

    ``is_open``: nobody has to prove to be GitLab, which is allowed on loopback only.
    """

    settings: Settings
    port: int
    emulator_port: int | None
    workers: int
    has_own_redis: bool
    is_open: bool

    @property
    def ingress(self) -> str:
        """The ingress's address, as this machine reaches it."""
        host = reached_at(self.settings.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def emulator(self) -> str | None:
        """The emulator's address."""
        return None if self.emulator_port is None else f"http://{LOOPBACK}:{self.emulator_port}"

    @property
    def names(self) -> list[str]:
        """The processes in the order in which they are begun."""
        many = self.workers > 1
        workers = [f"worker-{number}" if many else "worker" for number in range(1, self.workers + 1)]
        return [*(["emulator"] if self.emulator_port is not None else []), "ingress", *workers]


def make_plan(*, port: int | None, emulator_port: int, workers: int) -> UpPlan:
    """Return what is to run.

    :param port: the ingress's, where it is not to be ``HOOKYARD_PORT``. 0, here and as
        *emulator_port*, takes one that is free.
    :raises SettingsError: when settings cannot be used, or when everybody could reach an ingress
        that believes everybody.
    """
    settings = load()
    faults = ingress_faults(settings)
    if faults and not _is_loopback(settings.host):
        raise SettingsError(faults)
    has_gitlab = "gitlab_url" in settings.model_fields_set
    return UpPlan(
        settings=settings,
        port=(settings.port if port is None else port) or free_port(),
        emulator_port=None if has_gitlab else emulator_port or free_port(),
        workers=workers,
        has_own_redis="redis_url" not in settings.model_fields_set,
        is_open=bool(faults),
    )


def reached_at(host: str) -> str:
    """Return the address by which this machine reaches what listens at *host*, which may be all addresses."""
    return _ANYWHERE.get(host, host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def taken_port(layout: UpPlan) -> str | None:
    """Return which port cannot be listened on and what to do about it; ``None`` when all can."""
    wanted = [("ingress", layout.settings.host, layout.port, "--port")]
    if layout.emulator_port is not None:
        wanted.append(("emulator", LOOPBACK, layout.emulator_port, "--emulator-port"))
    for name, host, port, option in wanted:
        why = _why_not(host, port)
        if why:
            return f"The {name} cannot listen on {host} port {port}: {why}. Choose another with {option}."
    if layout.port == layout.emulator_port:
        return f"Ingress and emulator cannot share port {layout.port}. Choose another with --port."
    return None


def _why_not(host: str, port: int) -> str | None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        return (exc.strerror or str(exc)).lower()
    return None


def shared_environment(layout: UpPlan, directory: UpDirectory, redis_url: str) -> dict[str, str]:
    """Return the variables that our processes and commands in other terminals have in common.

    No secret of GitLab's is among them: whoever needs one sets it.
    """
    settings = layout.settings
    shared = {
        "REDIS_URL": redis_url,
        "GL_URL": layout.emulator or settings.gitlab_url,
        "HOOKYARD_PREFIX": settings.prefix,
        "HOOKYARD_HANDLERS": settings.handlers,
        "HOOKYARD_HOST": settings.host,
        "HOOKYARD_PORT": str(layout.port),
        "HOOKYARD_SPOOL_DIR": str(settings.spool_dir or directory.spool),
    }
    if layout.is_open:
        shared["HOOKYARD_ALLOW_UNAUTHENTICATED"] = "true"
    return shared


def child_specs(layout: UpPlan, shared: dict[str, str]) -> list[ChildSpec]:
    """Return how each process is started, in that order."""
    settings = layout.settings
    environment = child_environment(
        {**shared, "PYTHONUNBUFFERED": "1"},
        {
            "HOOKYARD_LOG_FORMAT": "console",
            "HOOKYARD_SHUTDOWN_DELAY_S": "0",  # there is no load balancer that would have to notice
        },
    )
    commands = {
        "emulator": module_command(
            "gitlab_emulator",
            "serve",
            "--host",
            LOOPBACK,
            "--port",
            str(layout.emulator_port),
            "--hook",
            f"{layout.ingress}/",
        ),
        "ingress": module_command("ingress"),
        "worker": module_command("worker"),
    }
    stop_timeout_s = {
        "emulator": _EMULATOR_S,
        "ingress": _INGRESS_S + settings.shutdown_delay_s,
        "worker": settings.drain_s + settings.lease_s + _SPARE_S,  # its own limit, and some
    }
    environments = {"emulator": {**environment, **emulator_secrets(settings)}}
    plans = []
    for name in layout.names:
        kind = name.partition("-")[0]
        plans.append(
            ChildSpec(
                name=name,
                command=commands[kind],
                environment=environments.get(kind, environment),
                stop_timeout_s=stop_timeout_s[kind],
            )
        )
    return plans
