"""`sonata create --explain` and `sonata run --explain`: what would be made, for people or for machines."""

from __future__ import annotations

from sonata.cli.call import SETTINGS, settled
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sonata.cli.call import Call
    from sonata.model.request import RunRequest

_OPTIONS = {**SETTINGS, "conmon": "engine.conmon_path", "runtime": "engine.runtime"}


def explain(request: RunRequest, call: Call, form: str) -> int:
    """Print what the request comes to. Nothing is made."""
    from sonata.engine.containers.explain import explain as explained

    call.looks_only = True
    given = {_OPTIONS[name]: (name, settled(value)) for name, value in call.globals.values.items() if name in _OPTIONS}
    told = {"Command": call.path.rpartition(" ")[2], **explained(call.engine, request, given)}
    if form == "json":
        from sonata.cli.render.json import dumps

        print(dumps(told, indent=4))
        return 0
    for line in lines(told):
        print(line)
    return 0


def lines(told: dict[str, Any]) -> Iterator[str]:
    """The text for people, section by section."""
    yield from _section("Image", _image(told["Image"]))
    yield from _section("Policy", _policy(told["Policy"]))
    yield from _section("Notices", told["Notices"])
    yield from _section("Values that are not the usual ones", map(_source, told["Sources"]))
    yield from _section("Settings that are not the usual ones", map(_setting, told["Settings"]))
    yield from _section("Id maps", _maps(told["IDMappings"]))
    yield from _section("Mounts", map(_mount, told["Mounts"]))
    yield from _section("Network", _network(told["Network"]))
    yield from _section("Hooks (not run)", map(_hook, told["Hooks"]))
    yield from _section("Specification" if told["Complete"] else "Specification, as far as it is known", ())
    yield pretty(told["Spec"])


def pretty(value: Any, indent: str = "") -> str:
    """JSON for people: a member a line, but lists and objects of plain values in one."""
    from json import dumps

    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not any(isinstance(item, (dict, list)) for item in inner):
        return dumps(value, ensure_ascii=False)
    more = indent + "  "
    if isinstance(value, dict):
        members = [f"{dumps(key, ensure_ascii=False)}: {pretty(item, more)}" for key, item in value.items()]
        return "{\n" + ",\n".join(more + member for member in members) + f"\n{indent}}}"
    return "[\n" + ",\n".join(more + pretty(item, more) for item in value) + f"\n{indent}]"


def _section(title: str, content: Iterable[str]) -> Iterator[str]:
    yield f"{title}:"
    for line in content:
        yield f"  {line}"


def _image(image: dict[str, Any]) -> Iterator[str]:
    if not image["PullPolicy"]:
        yield f"none: the root filesystem is {image['Given']}"
        return
    yield f"{image['Given']}: {image['Name'] or '(no name)'}"
    if image["Local"]:
        yield f"id {image['Id']}, manifest {image['Digest'] or '(unknown)'}"
    else:
        yield "not in the store: what its configuration adds is not known before a pull"
    yield f"pull policy {image['PullPolicy']}: pulled: {image['Pull']}" + (
        f", from {', '.join(image['Candidates'])}" if image["Pull"] != "no" and image["Candidates"] else ""
    )


def _policy(policy: dict[str, Any]) -> Iterator[str]:
    if policy.get("Error"):
        yield policy["Error"]
    for one in policy["Verdicts"]:
        why = f" ({', '.join(one['Requirements'])})"
        yield f"{one['Reference']}: {one['Verdict']} by {one['Rule']}{why} of {policy['File']}"
        if one["Reason"]:
            yield f"  {one['Reason']}"
    if not policy["Asked"]:
        yield "not asked: nothing is pulled"


def _shown(value: object) -> str:
    from json import dumps

    return value if isinstance(value, str) and value else dumps(value, ensure_ascii=False)


def _source(one: dict[str, Any]) -> str:
    return f"{one['Value']} = {_shown(one['Is'])}  <- {'; '.join(map(_from, one['From']))}"


def _from(source: dict[str, Any]) -> str:
    kind = source["Source"]
    if kind == "flag":
        return f"{source['Name']} {_shown(source['Given'])}" if "Given" in source else str(source["Name"])
    if kind == "file":
        return f"{source['File']}:{source['Line']} {source.get('Name', '')}".rstrip()
    if kind == "image":
        return f"image {source['Image']}: {source['Name']}"
    return " ".join(word for word in (kind, source.get("Name", "")) if word)


def _setting(one: dict[str, Any]) -> str:
    return f"{one['Setting']} = {_shown(one['Is'])}  <- {_from(one)}"


def _maps(maps: dict[str, Any]) -> Iterator[str]:
    yield f"user namespace: {maps['UserNamespace']}"
    for name, key in (("uid", "UIDMap"), ("gid", "GIDMap")):
        for one in maps[key]:
            yield f"{name} {one['ContainerID']} is {one['HostID']} of the host, {one['Size']} of them"


def _mount(mount: dict[str, Any]) -> str:
    owner = mount["Owner"]
    text = f"{mount['Destination']}: {mount['Type']} {mount['Source']} ({','.join(mount['Options'])})"
    if owner:
        user, group = owner["User"] or owner["UID"], owner["Group"] or owner["GID"]
        return f"{text}, on the host of {user}:{group} {owner['Mode']}"
    return f"{text}, made at the start" if mount["Type"] == "bind" else text


def _network(network: dict[str, Any]) -> Iterator[str]:
    by = f" by {network['Backend']}" if network["Backend"] else ""
    yield f"mode {network['Mode']}{by}"
    for one in network["Networks"]:
        where = ", ".join(
            f"{address} in {subnet}" for address, subnet in zip(one["Addresses"], one["Subnets"], strict=False)
        )
        yield f"{one['Interface']}: network {one['Name']} ({one['Driver']} {one['Bridge']}): {where}"
    for port in network["Ports"]:
        many = f", {port['Range']} in a row" if port["Range"] > 1 else ""
        host = f"{port['HostIP']}:{port['HostPort']}" if port["HostIP"] else port["HostPort"]
        yield f"port {host} -> {port['ContainerPort']}/{port['Protocol']}{many}"
    for key, name in (("DNSServers", "name server"), ("DNSSearch", "search domain"), ("Hosts", "host")):
        for text in network[key]:
            yield f"{name} {text}"
    for rule in network["Rules"]:
        yield f"rule {rule}"


def _hook(hook: dict[str, Any]) -> str:
    return f"{' '.join(hook['Args'] or [hook['Path']])} at {', '.join(hook['Stages'])}, from {hook['Origin']}"
