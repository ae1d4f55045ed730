"""The services of compose.yaml and its override: merged, and as arguments of `docker run`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# Keys that a single container does not need or that the tests replace.
ELSEWHERE = {
    "build",
    "depends_on",
    "env_file",
    "healthcheck",
    "image",
    "ports",
    "restart",
    "stop_grace_period",
}
RESET = object()  # what `!reset` leaves
DEFAULT = re.compile(r"\$\{\w+:-(.*?)\}")


class Loader(yaml.SafeLoader):
    """Reads the tag with which an override takes a key away."""


Loader.add_constructor("!reset", lambda loader, node: RESET)


def read_compose(path: Path, *overrides: Path) -> dict[str, Any]:
    """Read a file and what overrides it, merged by the rules of compose as far as they are used."""
    description = _read(path)
    for override in overrides:
        description = _merge(description, _read(override))
    return description


def _read(path: Path) -> dict[str, Any]:
    text = yaml.load(path.read_text(), Loader)  # noqa: S506 - a safe one
    description: dict[str, Any] = {k: v for k, v in text.items() if not k.startswith("x-")}
    for name, service in description["services"].items():
        if extended := service.pop("extends", None):
            base = _read(path.with_name(extended["file"]))["services"][extended["service"]]
            description["services"][name] = _merge(base, service)
    return description


def _merge(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in override.items():
        before = merged.pop(key, None)
        if value is RESET:
            continue
        if isinstance(before, dict):
            value = _merge(before, value)
        elif isinstance(before, list) and key == "volumes":
            targets = {volume.split(":")[1]: volume for volume in before + value}
            value = list(targets.values())
        merged[key] = value
    return merged


@dataclass(frozen=True)
class Service:
    command: tuple[str, ...]
    environment: dict[str, str]
    options: tuple[str, ...]


def read_service(path: Path, name: str, *, project: str) -> Service:
    """Read one service; its volumes get the project's name in front, as compose does it.

    What `.env` may set gets its default, and hosts in addresses are this machine.
    """
    services = yaml.safe_load(path.read_text())["services"]
    description: dict[str, Any] = dict(services[name])
    command = tuple(description.pop("command"))
    host = re.compile(rf"(?<=//)({'|'.join(services)})(?=:)")
    environment = {
        key: host.sub("127.0.0.1", DEFAULT.sub(r"\1", value))
        for key, value in description.pop("environment").items()
    }
    options = []
    for key, value in description.items():
        if key not in ELSEWHERE:
            options += _options(key, value, project)
    return Service(command, environment, tuple(options))


def _options(key: str, value: Any, project: str) -> list[str]:
    match key:
        case "read_only":
            return ["--read-only"] if value else []
        case "volumes":
            return [f"--volume={project}_{volume}" for volume in value]
        case "cap_drop" | "security_opt" | "tmpfs":
            return [f"--{key.replace('_', '-')}={item}" for item in value]
    raise ValueError(f"compose.yaml says {key}, and the tests do not know how to run that")
