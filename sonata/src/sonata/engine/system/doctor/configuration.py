"""Configuration files: those that cannot be read, those that are missing, those that say too much."""

from __future__ import annotations

import json
import os
import stat

from sonata.engine.system.doctor.finding import Finding, error, note, warning
from sonata.host.commands import run
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.config.values import EngineConfig
    from sonata.engine.engine import Engine

_PERMISSIVE = """'{"default": [{"type": "insecureAcceptAnything"}]}'"""

_OVERFLOW = 65534
"""Whom the kernel shows for ids that a user namespace has not."""


def unreadable(failure: SonataError) -> Finding:
    """containers.conf or storage.conf cannot be read: nothing else can be said."""
    path = failure.message.removeprefix("open ").split(":")[0]
    mend = f"$EDITOR {path}" if path.startswith("/") else failure.hint or "sonata info"
    return error("config", "configuration cannot be read", failure.message, mend)


def check_policy(config: EngineConfig) -> Iterator[Finding]:
    """policy.json: without it nothing is pulled."""
    from sonata.config.policy import load_policy
    from sonata.image.policy import parse_policy

    try:
        content, path = load_policy(config)
        parse_policy(json.dumps(content).encode(), path)
    except SonataError as failure:
        folder = config.places.etc
        absent = failure.message.startswith("no policy.json")
        mend = f"mkdir -p {folder} && echo {_PERMISSIVE} > {folder}/policy.json"
        yield error(
            "policy-absent" if absent else "policy",
            "no policy says whose images to trust: nothing can be pulled" if absent else "policy.json makes no sense",
            failure.message,
            mend,
        )


def check_registries(config: EngineConfig) -> Iterator[Finding]:
    """registries.conf, its drop-in files and aliases."""
    from sonata.config.registries import load_registries

    try:
        load_registries(config.places, config.environment, config.paths.alias_file)
    except SonataError as failure:
        path = failure.message.removeprefix("open ").split(":")[0]
        yield error(
            "registries", "registries.conf makes no sense: nothing can be pulled", failure.message, f"$EDITOR {path}"
        )


def check_credentials(config: EngineConfig) -> Iterator[Finding]:
    """Files with passwords, which nobody else may read."""
    from sonata.config.auth import auth_files

    named = config.environment.get("REGISTRY_AUTH_FILE", "")
    if named and not os.path.exists(named):
        yield warning(
            "auth", "the named file with credentials is not there", f"{named}: no such file", "unset REGISTRY_AUTH_FILE"
        )
        return
    for path in auth_files(config, "", (), run).paths:
        try:
            seen = os.stat(path)
            with open(path, "rb") as file:
                content = json.loads(file.read(1 << 20) or b"{}")
        except OSError:
            continue
        except ValueError as failure:
            yield warning("auth", "a file with credentials makes no sense", f"{path}: {failure}", f"rm {path}")
            continue
        mode = stat.S_IMODE(seen.st_mode)
        if mode & 0o077 and content:
            yield warning(
                "auth-mode", "passwords can be read by others", f"{path} has mode {mode:o}", f"chmod 600 {path}"
            )


def check_unknown(config: EngineConfig) -> Iterator[Finding]:
    """Keys that this engine does not honour, in files that somebody wrote here."""
    for text in config.unknown:
        path, _, key = text.partition(": ")
        if not path.startswith(config.places.usr):
            yield note(
                "config-unknown",
                "a setting has no effect",
                f"{path}: {key}",
                f"sed -i '/{key.rsplit('.')[-1]}/d' {path}",
            )


def check_folders(engine: Engine) -> Iterator[Finding]:
    """Folders from which code or what stands for it is loaded: nobody else may write there."""
    import sys

    folders = [path for path in sys.path if path and os.path.isdir(path)]
    folders += [engine.config.paths.cache_dir, *engine.config.engine.hooks_dir]
    for path in folders:
        trouble = open_to_others(path)
        if trouble:
            yield warning(
                "folder-open",
                "code that Sonata runs can be changed by others",
                trouble,
                f"chown {engine.facts.uid} {path} && chmod go-w {path}",
            )


def _nobody() -> tuple[int, ...]:
    """In a user namespace root's files, among others, seem to belong to this user."""
    from sonata.host.facts import id_mapping

    return () if id_mapping() is None else (_OVERFLOW,)


def open_to_others(path: str) -> str:
    """Who else may write to a folder; empty where nobody may, or there is none."""
    try:
        seen = os.stat(path)
    except OSError:
        return ""
    if seen.st_uid not in (0, os.geteuid(), *_nobody()):
        return f"{path} belongs to user {seen.st_uid}"
    if seen.st_mode & stat.S_IWOTH or (seen.st_mode & stat.S_IWGRP and seen.st_gid != 0):
        return f"{path} has mode {stat.S_IMODE(seen.st_mode):o}"
    return ""
