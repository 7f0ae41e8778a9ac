"""Rules of iptables: each bears the container's id in a comment, by which it is found again."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.models.net import AttachRequest

    Run = Callable[..., bytes]


def write(run: Run, tools: tuple[str, str], request: AttachRequest) -> None:
    """Masquerade what leaves the subnets, and publish the ports. All rules or none. Raises CommandFailed."""
    note = ("-m", "comment", "--comment", _note(request.container))
    rules: list[tuple[str, ...]] = []
    for each in request.attachments:
        for address, subnet in zip(each.addresses, each.network.subnets, strict=True):
            if not each.network.internal:
                rules.append(("POSTROUTING", "-s", address, "!", "-d", subnet.subnet, *note, "-j", "MASQUERADE"))
    target = next((address for each in request.attachments for address in each.addresses), None)
    for port in request.ports if target else ():
        for step in range(port.range):
            place = ("-d", port.host_ip) if port.host_ip else ("-m", "addrtype", "--dst-type", "LOCAL")
            seen = (*place, "-p", port.protocol, "--dport", str(port.host_port + step))
            where = f"{target}:{port.container_port + step}"
            rules += [
                (chain, *seen, *note, "-j", "DNAT", "--to-destination", where) for chain in ("PREROUTING", "OUTPUT")
            ]
            hairpin = ("-d", str(target), "-p", port.protocol, "--dport", str(port.container_port + step))
            rules.append(("POSTROUTING", "-s", "127.0.0.0/8", *hairpin, *note, "-j", "MASQUERADE"))
    if rules:
        _commit(run, tools[1], [f"-A {' '.join(rule)}" for rule in rules])


def erase(run: Run, tools: tuple[str, str], container: str) -> None:
    """Take all rules of a container away, in one go; none is success. Raises CommandFailed."""
    save, restore = tools
    rules = run((save, "-t", "nat")).decode().splitlines()
    own = [f"-D {rule[3:]}" for rule in rules if rule.startswith("-A ") and _note(container) in rule.split()]
    if own:
        _commit(run, restore, own)


def _commit(run: Run, restore: str, lines: list[str]) -> None:
    text = "\n".join(("*nat", *lines, "COMMIT", ""))
    run((restore, "--noflush", "--wait"), given=text.encode())


def _note(container: str) -> str:
    return f"acme-example-{container[:12]}"
