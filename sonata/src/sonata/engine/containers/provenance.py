"""Where each value of a plan comes from: an option, a line of a file, the image, the environment.

Planning is pure, so the question is put to the plan itself: a value comes from whatever it would not be what it is
without. Where two sources say the same, each of which would do, it comes from every one that brings it by itself.
"""

from __future__ import annotations

from sonata.config.origins import Origin, origins, settings_of
from sonata.model.defaults import Defaults
from sonata.model.materials import ImageFacts
from sonata.model.request import RunRequest
from sonata.plan.container import plan_container
from sonata_core.codec import freeze
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record, defaults_of, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sonata.engine.engine import Engine
    from sonata.model.materials import Materials

    Leaves = dict[str, Any]

_NOT_ASKED = ("attach", "caller_dir", "caller_env", "create_command", "detach", "image", "quiet", "rootfs", "sig_proxy")
_LEFT_OUT = frozenset(("created", "create_command", "id", "image", "image_given", "image_id", "notices", "revision"))
_KEYS = ("target", "type", "path", "container_port", "name", "source")
"""What tells the members of a list of records apart."""
_IMAGE = {
    "cmd": "Cmd",
    "entrypoint": "Entrypoint",
    "env": "Env",
    "exposed_ports": "ExposedPorts",
    "healthcheck": "Healthcheck",
    "labels": "Labels",
    "stop_signal": "StopSignal",
    "user": "User",
    "volumes": "Volumes",
    "working_dir": "WorkingDir",
}
_VARIABLES = {
    "containers.userns": "PODMAN_USERNS",
    "engine.helper_binaries_dir": "CONTAINERS_HELPER_BINARY_DIR",
    "engine.image_copy_tmp_dir": "TMPDIR",
    "network.firewall_driver": "NETAVARK_FW",
    "storage.driver": "STORAGE_DRIVER",
    "storage.options": "STORAGE_OPTS",
}
"""Variables that stand for a setting (`config.load`)."""


class _Inputs(Record):
    """What a plan is made from."""

    request: RunRequest
    image: ImageFacts
    materials: Any
    defaults: Defaults


class _Source:
    """One source: what is shown of it, and the inputs with it taken away, and with it alone."""

    def __init__(self, shown: dict[str, Any], without: _Inputs, alone: _Inputs) -> None:
        self.shown = shown
        self.without = without
        self.alone = alone


def sources(engine: Engine, request: RunRequest, image: ImageFacts, materials: Materials) -> list[dict[str, Any]]:
    """Every value of the plan that is not the built-in one, with where it comes from."""
    given = _Inputs(request=request, image=image, materials=materials, defaults=engine.defaults)
    plain = _plain(given)
    actual, usual = _leaves(engine, given), _leaves(engine, plain)
    if actual is None or usual is None:
        return []
    changed = [key for key in {**usual, **actual} if actual.get(key) != usual.get(key)]
    # A list that is not empty is told member by member.
    changed = [key for key in changed if key in actual or not any(one.startswith(f"{key}.") for one in actual)]
    found = list(_sources(engine, given, plain))
    without = [(one.shown, _leaves(engine, one.without)) for one in found]
    told: dict[str, list[dict[str, Any]]] = {key: _blamed(key, actual, without) for key in changed}
    unsure = [key for key, blamed in told.items() if not blamed]
    if unsure:
        alone = [(one.shown, _leaves(engine, one.alone)) for one in found]
        for key in unsure:
            told[key] = [shown for shown, leaves in alone if leaves and leaves.get(key) == actual.get(key)]
    return [
        {"Value": key, "Is": actual.get(key), "Usually": usual.get(key), "From": blamed or [{"Source": "host"}]}
        for key, blamed in sorted(told.items())
    ]


def _blamed(key: str, actual: Leaves, without: list[tuple[dict[str, Any], Leaves | None]]) -> list[dict[str, Any]]:
    return [shown for shown, leaves in without if leaves is not None and leaves.get(key) != actual.get(key)]


def _plain(given: _Inputs) -> _Inputs:
    """The same command with nothing asked: no option, a mute image, no file, no environment."""
    request = given.request
    bare = RunRequest(image=request.image, rootfs=request.rootfs, caller_dir=request.caller_dir)
    image = ImageFacts(id=given.image.id, name=given.image.name)
    materials = given.materials.replace(env_files=(), label_files=())
    return _Inputs(request=bare, image=image, materials=materials, defaults=Defaults())


def _sources(engine: Engine, given: _Inputs, plain: _Inputs) -> Iterator[_Source]:
    yield from _flags(given, plain)
    yield from _of_image(given, plain)
    yield from _of_defaults(engine, given, plain)
    if given.request.caller_env:
        yield _Source(
            {"Source": "environment"},
            given.replace(request=given.request.replace(caller_env={})),
            plain.replace(request=plain.request.replace(caller_env=given.request.caller_env)),
        )


def _flags(given: _Inputs, plain: _Inputs) -> Iterator[_Source]:
    for field, default in defaults_of(RunRequest).items():
        value = getattr(given.request, field)
        if value == default or field in _NOT_ASKED:
            continue
        if isinstance(value, tuple) and field not in ("command", "network"):
            for number, item in enumerate(value):
                rest = (*value[:number], *value[number + 1 :])
                yield _flag(given, plain, field, (item, rest, (item,), number))
        else:
            yield _flag(given, plain, field, (value, default, value, 0))


def _flag(given: _Inputs, plain: _Inputs, field: str, part: tuple[Any, Any, Any, int]) -> _Source:
    """An option, or one of the values of an option that was given several times."""
    value, rest, only, number = part
    name = {"replace_existing": "replace"}.get(field, field).replace("_", "-")
    shown = {"Source": "flag", "Name": f"--{name}", "Given": freeze(value)}
    if field == "command":
        shown = {"Source": "command line", "Name": "COMMAND", "Given": freeze(value)}
    without = given.replace(request=given.request.replace(**{field: rest}))
    # What an option only names is in the materials; who needs it there is the option that names it.
    alone = plain.replace(request=plain.request.replace(**{field: only}))
    texts = {"env_file": "env_files", "label_file": "label_files"}.get(field)
    if texts:
        content = getattr(given.materials, texts)
        without = without.replace(
            materials=given.materials.replace(**{texts: (*content[:number], *content[number + 1 :])})
        )
        alone = alone.replace(materials=plain.materials.replace(**{texts: (content[number],)}))
    return _Source(shown, without, alone)


def _of_image(given: _Inputs, plain: _Inputs) -> Iterator[_Source]:
    nothing = defaults_of(ImageFacts)
    for field, name in _IMAGE.items():
        value = getattr(given.image, field)
        if value != nothing[field]:
            yield _Source(
                {"Source": "image", "Name": name, "Image": given.image.name},
                given.replace(image=given.image.replace(**{field: nothing[field]})),
                plain.replace(image=plain.image.replace(**{field: value})),
            )


def _of_defaults(engine: Engine, given: _Inputs, plain: _Inputs) -> Iterator[_Source]:
    usual = Defaults()
    known = {one.setting: one for one in origins(engine.config)}
    for field in fields_of(Defaults):
        value = getattr(given.defaults, field)
        if value != getattr(usual, field):
            yield _Source(
                _of_setting(settings_of(field), known),
                given.replace(defaults=given.defaults.replace(**{field: getattr(usual, field)})),
                plain.replace(defaults=plain.defaults.replace(**{field: value})),
            )


def _of_setting(names: tuple[str, ...], known: Mapping[str, Origin]) -> dict[str, Any]:
    for name in names:
        if name in known:
            return {"Source": "file", "Name": name, "File": known[name].file, "Line": known[name].line}
    return {"Source": "host", "Name": names[0]}


def _leaves(engine: Engine, inputs: _Inputs) -> Leaves | None:
    """The plan, flat; None for inputs of which no container can be made."""
    try:
        config = plan_container(inputs.request, inputs.image, inputs.materials, engine.facts, inputs.defaults)
    except SonataError:
        return None
    found: Leaves = {}
    for field in fields_of(type(config)):
        if field not in _LEFT_OUT:
            _flatten(field, getattr(config, field), found)
    return found


def _flatten(name: str, value: Any, found: Leaves) -> None:
    if isinstance(value, Record):
        for field in fields_of(type(value)):
            _flatten(f"{name}.{field}", getattr(value, field), found)
    elif isinstance(value, tuple) and value and all(isinstance(item, Record) for item in value):
        for number, item in enumerate(value):
            own = next((getattr(item, key) for key in _KEYS if getattr(item, key, "")), number)
            found[f"{name}.{own}"] = freeze(item)
    elif hasattr(value, "items"):
        for key, item in value.items():
            _flatten(f"{name}.{key}", item, found)
    else:
        found[name] = freeze(value)


def settings(engine: Engine, request: RunRequest, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Settings that are not the built-in ones, whoever set them; `options`: global ones, by the setting's name."""
    told: dict[str, dict[str, Any]] = {}
    for one in origins(engine.config):
        shown = {"Setting": one.setting, "Is": freeze(one.value), "Source": "file", "File": one.file, "Line": one.line}
        told.pop(one.setting, None)
        if not one.usual:
            told[one.setting] = shown
    for name, variable in _VARIABLES.items():
        if request.caller_env.get(variable):
            told[name] = {
                "Setting": name,
                "Is": request.caller_env[variable],
                "Source": "environment",
                "Name": variable,
            }
    for name, (option, value) in options.items():
        told[name] = {"Setting": name, "Is": freeze(value), "Source": "flag", "Name": f"--{option}"}
    return [told[name] for name in sorted(told)]
