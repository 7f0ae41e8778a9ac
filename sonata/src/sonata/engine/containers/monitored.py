"""What a container's monitor is told: its environment, and what to run when the container has ended."""

from __future__ import annotations

import os

from sonata.config.values import CHOOSING
from sonata.engine.containers import ending
from sonata.engine.paths import ContainerPaths
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig


def exit_command(engine: Engine, config: ContainerConfig) -> tuple[str, ...]:
    """What conmon runs when the container has ended."""
    words = [*engine.overrides.program, *engine.overrides.arguments, "container", "cleanup", "--stopped-only"]
    if config.auto_remove:
        words.append("--rm")
    if config.restart.name == "no":
        words.append(f"--unless-gone={ending.mark(ContainerPaths(engine, config.backends.storage, config.id), config)}")
    return (*words, config.id)


def monitor_env(engine: Engine) -> dict[str, str]:
    """The environment of conmon, of the runtime that it starts and of the exit command."""
    env = {"PATH": engine.facts.path, "LANG": "C.UTF-8"}
    for name in CHOOSING:
        value = engine.config.environment.get(name)
        if value:  # conmon works in another folder
            env[name] = os.path.abspath(value) if name.startswith("CONTAINERS_") else value
    return env
