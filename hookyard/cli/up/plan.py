"""The plan of ``hookyard up``: what is to run, and where, decided before anything starts."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from hookyard.cli.console import IS_INSTALLED as CONSOLE_IS_INSTALLED
from hookyard.cli.launch import child_environment, emulator_secrets, module_command
from hookyard.cli.up.child import ChildSpec
from hookyard.cli.up.ports import LOOPBACK, is_loopback, listen_error, reachable_host
from hookyard.redis.embedded import free_port
from hookyard.settings.settings import SettingsError, ingress_faults, load, worker_faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from hookyard.cli.up.directory import UpDirectory
    from hookyard.settings.settings import Settings

EXAMPLE_BOT: Final = "handlers:router"
"""The handlers that run where nothing is set up yet: neither a GitLab nor a bot."""

_LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")

_INGRESS_STOP_S: Final = 25.0
_EMULATOR_STOP_S: Final = 5.0
_CONSOLE_STOP_S: Final = 5.0
_MARGIN_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class UpPlan:
    """What is to run. ``emulator_port`` is ``None`` where ``GL_URL`` names a GitLab.

    ``console_port`` is ``None`` where the console is not installed; ``console_link`` signs in there, once.

    ``made_up_secret``: the webhooks' secret token where none is set, so that nobody else who reaches the
    ingress, a web page in the browser included, can have handlers run.
    """

    settings: Settings
    port: int
    emulator_port: int | None
    console_port: int | None
    console_link: str = field(repr=False)
    workers: int
    has_own_redis: bool
    made_up_secret: str | None

    @property
    def ingress(self) -> str:
        """The ingress's address, as this machine reaches it."""
        host = reachable_host(self.settings.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def emulator(self) -> str | None:
        """The emulator's address."""
        return None if self.emulator_port is None else f"http://{LOOPBACK}:{self.emulator_port}"

    @property
    def console(self) -> str | None:
        """The console's address, with what signs in there once."""
        if self.console_port is None:
            return None
        host = reachable_host(self.settings.host)
        address = f"[{host}]:{self.console_port}" if ":" in host else f"{host}:{self.console_port}"
        return f"http://{address}/sign-in?link={self.console_link}"

    @property
    def names(self) -> list[str]:
        """The processes in the order in which they start."""
        many = self.workers > 1
        workers = [f"worker-{number}" if many else "worker" for number in range(1, self.workers + 1)]
        return [
            *(["emulator"] if self.emulator_port is not None else []),
            "ingress",
            *workers,
            *(["console"] if self.console_port is not None else []),
        ]


def make_plan(
    *,
    port: int | None,
    emulator_port: int,
    console_port: int | None,
    workers: int,
    reload: bool = False,
    make_up_secret: Callable[[], str],
) -> UpPlan:
    """Return the plan.

    :param port: the ingress's, instead of ``HOOKYARD_PORT``. 0, here and as the other ports, takes a
        free one.
    :param console_port: instead of ``HOOKYARD_CONSOLE_PORT``.
    :param reload: have workers load the bot again when its files change.
    :param make_up_secret: returns the secret token where none is set.
    :raises SettingsError: when settings cannot be used.
    """
    settings = load(**({"HOOKYARD_RELOAD": True} if reload else {}))
    has_gitlab = "gitlab_url" in settings.model_fields_set
    if not has_gitlab and not settings.handlers:
        settings = settings.model_copy(update={"handlers": EXAMPLE_BOT})
    if faults := worker_faults(settings):
        raise SettingsError(faults)
    made_up = None
    if ingress_faults(settings):
        made_up = make_up_secret()
        settings = settings.model_copy(update={"secret_tokens": (SecretStr(made_up),)})
    return UpPlan(
        settings=settings,
        port=(settings.port if port is None else port) or free_port(),
        emulator_port=None if has_gitlab else emulator_port or free_port(),
        console_port=((settings.console_port if console_port is None else console_port) or free_port())
        if CONSOLE_IS_INSTALLED
        else None,
        console_link=secrets.token_urlsafe(24),
        workers=workers,
        has_own_redis="redis_url" not in settings.model_fields_set,
        made_up_secret=made_up,
    )


def port_conflict(plan: UpPlan) -> str | None:
    """Return which port cannot be used and what to do about it; ``None`` when all can."""
    wanted = [("ingress", plan.settings.host, plan.port, "--port")]
    if plan.emulator_port is not None:
        wanted.append(("emulator", LOOPBACK, plan.emulator_port, "--emulator-port"))
    if plan.console_port is not None:
        wanted.append(("console", plan.settings.host, plan.console_port, "--console-port"))
    for name, host, port, option in wanted:
        error = listen_error(host, port)
        if error:
            return f"The {name} cannot listen on {host} port {port}: {error}. Choose another with {option}."
    taken: dict[int, str] = {}
    for name, _, port, option in wanted:
        if port in taken:
            both = f"{taken[port].capitalize()} and {name}"
            return f"{both} cannot share port {port}. Choose another with {option}."
        taken[port] = name
    return None


def shared_environment(plan: UpPlan, directory: UpDirectory, redis_url: str) -> dict[str, str]:
    """Return the variables that the processes and commands in other terminals have in common.

    None of GitLab's secrets is among them, but for one that was made up: a command that needs another has
    it in its own environment.
    """
    settings = plan.settings
    shared = {
        "REDIS_URL": redis_url,
        "GL_URL": plan.emulator or settings.gitlab_url,
        "HOOKYARD_PREFIX": settings.prefix,
        "HOOKYARD_HANDLERS": settings.handlers,
        "HOOKYARD_HOST": settings.host,
        "HOOKYARD_PORT": str(plan.port),
        "HOOKYARD_SPOOL_DIR": str(settings.spool_dir or directory.spool),
    }
    if plan.made_up_secret:
        shared["GL_SECRET"] = plan.made_up_secret
    return shared


def child_specs(plan: UpPlan, shared: dict[str, str]) -> list[ChildSpec]:
    """Return the processes in the order in which they start."""
    settings = plan.settings
    environment = child_environment(
        {**shared, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"},
        {
            "HOOKYARD_LOG_FORMAT": "console",
            "HOOKYARD_SHUTDOWN_DELAY_S": "0",  # no load balancer has to notice
            **({"HOOKYARD_RELOAD": "true"} if settings.reload else {}),
            **({"HOOKYARD_ALLOWED_HOSTS": ",".join(_LOCAL_NAMES)} if is_loopback(settings.host) else {}),
        },
    )
    commands = {
        "emulator": module_command(
            "gitlab_emulator",
            "serve",
            "--host",
            LOOPBACK,
            "--port",
            str(plan.emulator_port),
            "--hook",
            f"{plan.ingress}/",
        ),
        "ingress": module_command("ingress"),
        "worker": module_command("worker"),
        "console": module_command("hookyard.console"),
    }
    stop_timeouts_s = {
        "emulator": _EMULATOR_STOP_S,
        "ingress": _INGRESS_STOP_S + settings.shutdown_delay_s,
        "worker": settings.drain_s + settings.lease_s + _MARGIN_S,  # longer than its own limit
        "console": _CONSOLE_STOP_S,
    }
    environments = {
        "emulator": {**environment, **emulator_secrets(settings)},
        "console": {
            **environment,
            "HOOKYARD_CONSOLE_PORT": str(plan.console_port),
            "HOOKYARD_CONSOLE_LINK": plan.console_link,
        },
    }
    kinds = {name: name.partition("-")[0] for name in plan.names}
    return [
        ChildSpec(
            name=name,
            command=commands[kind],
            environment=environments.get(kind, environment),
            stop_timeout_s=stop_timeouts_s[kind],
        )
        for name, kind in kinds.items()
    ]
