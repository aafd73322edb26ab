"""The stack of docker-compose.yml as podman runs it, from a copy of the checkout in its own directory."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from hookyard.redis.embedded import free_port

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT.parent / "shared" / "containers"
IMAGES = ("python:3.11-slim", "redis:7", "caddy:2", "prom/prometheus:latest")
SERVICES = ("caddy", "ingress", "worker", "emulator", "prometheus", "redis", "hookyard")
PATIENCE_S = 90.0


class CannotRun(Exception):
    """This machine cannot run the stack; the text says what it lacks."""


def engine_environment() -> dict[str, str]:
    """Return the environment in which podman works on this machine.

    :raises CannotRun: when it lacks podman, podman-compose or an image.
    """
    environment = dict(os.environ)
    if (LAB / "env.sh").exists():
        made = subprocess.run(
            ["bash", "-c", f". '{LAB}/env.sh' && env -0"], capture_output=True, check=True
        ).stdout
        environment = dict(pair.split("=", 1) for pair in made.decode().split("\0") if pair)
    hint = f"; run {LAB}/prepare" if (LAB / "prepare").exists() else ""
    for command in ("podman", "podman-compose"):
        if not shutil.which(command):
            raise CannotRun(f"there is no {command}{hint}")
    for image in IMAGES:
        if subprocess.run(["podman", "image", "exists", image], env=environment, check=False).returncode:
            raise CannotRun(f"podman has no image {image}{hint or f'; run podman pull {image}'}")
    return environment


@dataclass
class Stack:
    """One running stack. ``directory`` is where it lives, its name is the project's."""

    directory: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    log: list[str] = field(default_factory=list)

    @property
    def project(self) -> str:
        """What podman-compose calls it: the directory's name."""
        return self.directory.name

    @property
    def url(self) -> str:
        """Where the load balancer listens."""
        return f"http://127.0.0.1:{self.port}/"

    def lay_out(self, *, ingresses: int, workers: int) -> None:
        """Copy what is needed, and do what README tells a new operator to do."""
        names = ["Dockerfile", ".dockerignore", "docker-compose.yml", ".env.example", "deploy"]
        names += ["requirements.txt", "requirements-emulator.txt", "pyproject.toml", "README.md", "LICENSE"]
        names += ["hookyard", "ingress", "worker", "handlers", "emulator", "pytest_hookyard"]
        for name in names:
            if (ROOT / name).is_dir():
                shutil.copytree(
                    ROOT / name, self.directory / name, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy2(ROOT / name, self.directory / name)
        bot = self.directory.with_name(f"{self.directory.name}-bot")
        bot.mkdir()
        bot.chmod(0o755)
        shutil.copy2(ROOT / "tests" / "compose" / "bot.py", bot / "trialbot.py")
        settings = {
            "HOOKYARD_IMAGE": f"{self.project}:1",
            "INGRESSES": ingresses,
            "WORKERS": workers,
            "PLAIN_PORT": f"127.0.0.1:{self.port}",
            "EMULATOR_PORT": free_port(),
            "PROMETHEUS_PORT": free_port(),
            "BOT_MOUNT": f"{bot}:/bot",
            "HOOKYARD_HANDLERS": "trialbot:router",
        }
        self.set(**{name: str(value) for name, value in settings.items()})
        self.run("deploy/new-secrets")

    def set(self, **settings: str) -> None:
        """Put these into ``.env``."""
        path = self.directory / ".env"
        lines = (path if path.exists() else self.directory / ".env.example").read_text().splitlines()
        kept = [line for line in lines if line.partition("=")[0] not in settings]
        path.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in settings.items())]) + "\n")

    def secret(self, name: str) -> str:
        """Return a secret that ``deploy/new-secrets`` made."""
        return (self.directory / "secrets" / name).read_text().strip()

    def run(self, *command: str, may_fail: bool = False, **environment: str) -> str:
        """Run a command in the stack's directory; gives what it printed.

        :raises AssertionError: when it fails, with what it said.
        """
        done = subprocess.run(
            ["nice", "-n", "19", *command],
            cwd=self.directory,
            env={**self.environment, "COMPOSE_PROJECT_NAME": self.project, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.log.append(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}")
        if done.returncode and not may_fail:
            raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def build(self, number: int) -> None:
        """Build the images with the tag *number*: that of the services, and the emulator's."""
        build = ("podman", "build", "--network=host")
        self.run(*build, "-t", f"{self.project}:{number}", ".")
        self.run(*build, "--target", "emulator", "-t", f"{self.project}:{number}-emulator", ".")

    def up(self, **scale: int) -> None:
        """Start what does not run yet; *scale* says how many of a service there shall be."""
        counts = [part for name, number in scale.items() for part in ("--scale", f"{name}={number}")]
        self.set(
            **{f"{name.upper()}{'ES' if name == 'ingress' else 'S'}": str(n) for name, n in scale.items()}
        )
        self.run("podman-compose", "up", "-d", "--no-build", "--no-recreate", *counts)

    def containers(self, service: str) -> list[str]:
        """Return the names of a service's containers, running or not, in order."""
        listed = self.run(
            "podman",
            "ps",
            "--all",
            "--format={{.Names}}",
            f"--filter=label=com.docker.compose.project={self.project}",
            f"--filter=label=com.docker.compose.service={service}",
        )
        return sorted(listed.split())

    def inspect(self, container: str, template: str) -> str:
        """Return what podman knows of a container."""
        return self.run("podman", "inspect", f"--format={template}", container).strip()

    def crash(self, container: str) -> None:
        """Kill -9 a container's process from outside, as the kernel does when memory is short."""
        os.kill(int(self.inspect(container, "{{.State.Pid}}")), signal.SIGKILL)

    def wait_until_well(self, service: str, number: int, *, patience_s: float = PATIENCE_S) -> None:
        """Return once so many containers of *service* say that they are well.

        :raises AssertionError: when they do not in time.
        """
        deadline = time.monotonic() + patience_s
        while True:
            names = self.containers(service)
            said = [
                self.run("podman", "exec", name, "hookyard", "health", may_fail=True).strip()
                for name in names
            ]
            if said == [f"{service}: healthy"] * number:
                return
            if time.monotonic() > deadline:
                logs = "\n".join(self.logs(name)[-1500:] for name in names)
                raise AssertionError(f"{number} {service} should be well, but {said}\n{logs}")
            time.sleep(0.2)

    def logs(self, container: str) -> str:
        """Return what a container has written."""
        done = subprocess.run(
            ["podman", "logs", container],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.stdout.decode(errors="replace")

    def save_logs(self, directory: Path) -> None:
        """Write what was called and what every container wrote into files in *directory*."""
        (directory / "commands.log").write_text("\n".join(self.log))
        for service in SERVICES:
            for name in self.containers(service):
                (directory / f"{name}.log").write_text(self.logs(name))

    def spooled(self) -> int:
        """Return how many deliveries the ingresses that are there now have put into the spool."""
        return sum(self.logs(name).count('"how": "spooled"') for name in self.containers("ingress"))

    def waiting_in_spool(self) -> int:
        """Return how many deliveries the spool holds now."""
        ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/ready').read().decode())"
        (name, *_) = self.containers("ingress")
        return int(json.loads(self.run("podman", "exec", name, "python", "-c", ask))["spool"]["waiting"])

    def redis_url(self) -> str:
        """Return where this machine reaches the stack's Redis, which nobody outside it does."""
        template = f'{{{{(index .NetworkSettings.Networks "{self.project}_back").IPAddress}}}}'
        (name,) = self.containers("redis")
        return f"redis://:{self.secret('redis_password')}@{self.inspect(name, template)}:6379/0"

    def down(self) -> None:
        """Remove all of it: containers, networks, volumes and images."""
        for service in SERVICES:
            for name in self.containers(service):
                self.run("podman", "rm", "--force", "--time=0", name, may_fail=True)
        label = f"--filter=label=io.podman.compose.project={self.project}"
        for kind in ("network", "volume"):
            for name in self.run("podman", kind, "ls", "-q", label).split():
                self.run("podman", kind, "rm", "--force", name, may_fail=True)
        for number in (1, 2):
            for image in (f"{self.project}:{number}", f"{self.project}:{number}-emulator"):
                self.run("podman", "rmi", "--force", image, may_fail=True)
