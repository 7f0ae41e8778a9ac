"""CDI (Container Device Interface, specification 1.0): names, and what a checked device adds to a runtime spec.

Source: cncf-tags/container-device-interface, SPEC.md. Documents are data of strangers: every member is checked
for its kind and its size before it is used.
"""

from __future__ import annotations

from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sonata_core.lite import Any

STAGES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
MOST = 4096
"""Entries of one list, characters of one text: an edit is a few of each."""

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset("0123456789")
_EDITS = frozenset(("env", "deviceNodes", "mounts", "hooks", "intelRdt", "additionalGids"))
_RDT = frozenset(("closID", "l3CacheSchema", "memBwSchema", "enableCMT", "enableMBM"))
_NODE_NUMBERS = ("major", "minor", "fileMode", "uid", "gid")


def qualified(text: str) -> tuple[str, str] | None:
    """Kind (`vendor.com/class`) and name of a fully qualified device; None for anything else."""
    kind, equals, name = text.partition("=")
    vendor, slash, group = kind.partition("/")
    if not (equals and slash and _word(vendor, "_-.") and _word(group, "_-")):
        return None
    good = bool(name) and name[0] in _LETTERS | _DIGITS and name[-1] in _LETTERS | _DIGITS
    return (kind, name) if good and set(name) <= _LETTERS | _DIGITS | set("_-.:") else None


def _word(text: str, more: str) -> bool:
    good = bool(text) and text[0] in _LETTERS and text[-1] in _LETTERS | _DIGITS
    return good and set(text) <= _LETTERS | _DIGITS | set(more)


class Document:
    """A checked specification: its kind, its devices' edits by name, and those that go with each of them."""

    def __init__(self, source: str, content: Any) -> None:
        self.source = source
        if not isinstance(content, dict):
            raise self.wrong("it is no object")
        version = content.get("cdiVersion")
        if not isinstance(version, str) or not version.startswith(("0.", "1.")):
            raise self.wrong(f"cdiVersion {version!r} is not known")
        self.kind = content.get("kind")
        if not isinstance(self.kind, str) or qualified(f"{self.kind}=x") is None:
            raise self.wrong(f"kind {self.kind!r} is not VENDOR/CLASS")
        self.edits = self._checked(content.get("containerEdits"))
        self.devices: dict[str, dict[str, Any]] = {}
        for device in self._list(content, "devices", dict):
            name = device.get("name")
            if not isinstance(name, str) or qualified(f"{self.kind}={name}") is None:
                raise self.wrong(f"invalid device name {name!r}")
            if name in self.devices:
                raise self.wrong(f"device {name!r} is there twice")
            self.devices[name] = self._checked(device.get("containerEdits"))
        if not self.devices:
            raise self.wrong("it has no devices")

    def wrong(self, what: str) -> UsageError:
        return UsageError(f"CDI specification {self.source}: {what}"[:1000], hint="mend the file, or take it away")

    def _list(self, table: Mapping[str, Any], key: str, kind: type) -> list[Any]:
        value = table.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > MOST or not all(type(item) is kind for item in value):
            raise self.wrong(f"{key} is no list of at most {MOST} entries of its kind")
        if kind is str and any(len(item) > MOST or "\0" in item for item in value):
            raise self.wrong(f"a text in {key} is too long, or has a NUL in it")
        return value

    def _checked(self, edits: Any) -> dict[str, Any]:
        """Edits with every member of the kind that it should have."""
        if edits is None:
            return {}
        if not isinstance(edits, dict):
            raise self.wrong("containerEdits is no object")
        unknown = set(edits) - _EDITS
        if unknown:
            raise self.wrong(f"containerEdits has {', '.join(sorted(map(str, unknown)))}, which is not supported")
        env = self._list(edits, "env", str)
        if any("=" not in entry[1:] for entry in env):
            raise self.wrong("env is not NAME=VALUE")
        gids = self._list(edits, "additionalGids", int)
        if any(not 0 <= number < 1 << 32 for number in gids):
            raise self.wrong("additionalGids are no group ids")
        return {
            "env": env,
            "deviceNodes": [self._node(node) for node in self._list(edits, "deviceNodes", dict)],
            "mounts": [self._mount(mount) for mount in self._list(edits, "mounts", dict)],
            "hooks": [self._hook(hook) for hook in self._list(edits, "hooks", dict)],
            "intelRdt": self._rdt(edits.get("intelRdt")),
            "additionalGids": [number for number in gids if number],
        }

    def _path(self, table: Mapping[str, Any], key: str) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value.startswith("/") or "\0" in value or len(value) > MOST:
            raise self.wrong(f"{key} {value!r} is no absolute path")
        if ".." in value.split("/"):
            raise self.wrong(f"{key} {value!r} leads upwards")
        return value

    def _node(self, node: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {"path": self._path(node, "path")}
        found["hostPath"] = self._path(node, "hostPath") if node.get("hostPath") else found["path"]
        for key in _NODE_NUMBERS:
            value = node.get(key)
            if value is None:
                continue
            if type(value) is not int or not 0 <= value < 1 << 32:
                raise self.wrong(f"{key} {value!r} of {found['path']} is no number")
            found[key] = value
        found["type"] = node.get("type") or ""
        if found["type"] not in ("", "b", "c", "u", "p"):
            raise self.wrong(f"type {found['type']!r} of {found['path']} is not known")
        found["permissions"] = node.get("permissions") or "rwm"
        if not isinstance(found["permissions"], str) or not set(found["permissions"]) <= set("rwm"):
            raise self.wrong(f"permissions of {found['path']} are not of r, w and m")
        return found

    def _mount(self, mount: dict[str, Any]) -> dict[str, Any]:
        options = self._list(mount, "options", str)
        kind = mount.get("type") or "bind"
        if not isinstance(kind, str) or len(kind) > 64:
            raise self.wrong("a mount's type is no name")
        if kind == "bind" and not {"bind", "rbind"} & set(options):
            options = ["rbind", *options]
        source = mount.get("hostPath")
        if kind == "bind" or (isinstance(source, str) and source.startswith("/")):
            source = self._path(mount, "hostPath")
        elif not isinstance(source, str) or len(source) > MOST:
            raise self.wrong("a mount has no hostPath")
        return {"destination": self._path(mount, "containerPath"), "source": source, "type": kind, "options": options}

    def _hook(self, hook: dict[str, Any]) -> dict[str, Any]:
        stage = hook.get("hookName")
        if stage not in STAGES:
            raise self.wrong(f"hookName {stage!r} is not known")
        timeout = hook.get("timeout")
        if timeout is not None and (type(timeout) is not int or not 0 < timeout < 1 << 31):
            raise self.wrong(f"timeout {timeout!r} of a hook is no number of seconds")
        return {
            "stage": stage,
            "path": self._path(hook, "path"),
            "args": self._list(hook, "args", str),
            "env": self._list(hook, "env", str),
            "timeout": timeout,
        }

    def _rdt(self, given: Any) -> dict[str, Any]:
        if given is None:
            return {}
        if not isinstance(given, dict) or set(given) - _RDT:
            raise self.wrong("intelRdt is not understood")
        for key, value in given.items():
            wanted = bool if key.startswith("enable") else str
            if type(value) is not wanted or len(str(value)) > MOST:
                raise self.wrong(f"intelRdt.{key} is not of its kind")
        return dict(given)


def chosen(names: Iterable[str], found: Mapping[str, Document]) -> list[dict[str, Any]]:
    """The edits of devices, in order: those of a whole document once, before its first device's.

    `found` has the document for each qualified name. Raises UsageError for devices that there are not.
    """
    names = list(dict.fromkeys(names))
    missing = [name for name in names if name not in found]
    if missing:
        raise UsageError(f"setting up CDI devices: unresolvable CDI devices {', '.join(missing)}")
    edits: list[dict[str, Any]] = []
    seen: set[str] = set()
    for name in names:
        document = found[name]
        if document.source not in seen:
            seen.add(document.source)
            edits.append(document.edits)
        edits.append(document.devices[name.partition("=")[2]])
    return [one for one in edits if one]
