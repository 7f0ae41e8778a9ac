"""Hooks of the stages that the engine itself runs: `precreate` and `poststop`."""

from __future__ import annotations

from sonata_core import json_text as json
from sonata_core.errors import CommandFailed, SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.process import Command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.engine.paths import ContainerPaths
    from sonata_core.models.hooks import OciHook

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run_precreate(
    engine: Engine, paths: ContainerPaths, spec: dict[str, Any], hooks: Iterable[OciHook]
) -> dict[str, Any]:
    """Give each hook the whole spec; what it prints replaces it. Raises CommandFailed if one fails."""
    for hook in hooks:
        result = engine.run_command(_command(hook, json.dumps(spec).encode(), paths.bundle))
        if result.code:
            text = result.stderr.decode(errors="replace").strip()
            raise CommandFailed(
                f"executing precreate hook {hook.path}: exit status {result.code}: {text}", code=result.code
            )
        if result.stdout.strip():
            spec = _admitted(hook, result.stdout, spec)
            engine.log.info("spec_changed_by_hook", hook=hook.path, origin=hook.origin)
    return spec


def _admitted(hook: OciHook, text: bytes, before: dict[str, Any]) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CommandFailed(f"precreate hook {hook.path} printed no JSON: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("process"), dict) or "root" not in found:
        raise CommandFailed(f"precreate hook {hook.path} printed something that is no config.json")
    if found.get("root") != before["root"]:
        raise CommandFailed(f"precreate hook {hook.path} changed the root filesystem, which no hook may do")
    return found


def run_poststop(engine: Engine, paths: ContainerPaths, hooks: Iterable[OciHook]) -> None:
    """Tell each hook that the container is gone. What fails is logged only."""
    state = {"ociVersion": "1.0.2", "id": paths.ref.id, "status": "stopped", "bundle": paths.bundle}
    for hook in hooks:
        try:
            result = engine.run_command(_command(hook, json.dumps(state).encode(), paths.bundle))
        except SonataError as error:
            engine.log.warning("poststop_hook_failed", hook=hook.path, error=error.message)
            continue
        if result.code:
            engine.log.warning("poststop_hook_failed", hook=hook.path, code=result.code)


def _command(hook: OciHook, text: bytes, cwd: str) -> Command:
    # A hook's environment is its own: nothing of the image or the caller reaches it.
    env = dict(entry.partition("=")[::2] for entry in (hook.env or (_PATH,)))
    argv = (hook.path, *(hook.args[1:] if hook.args else ()))
    return Command(argv=argv, env=env, input=text, cwd=cwd, timeout=float(hook.timeout) if hook.timeout else None)
