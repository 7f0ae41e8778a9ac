"""Firewall rules that plugins leave where the namespace went first.

`bridge` takes its masquerading away by the addresses that it finds in the namespace, so that a namespace
which is gone leaves a chain for each container. The chains are named after network and container.
Source: containernetworking/plugins `pkg/utils/utils.go`, `pkg/ip/ipmasq_linux.go`.
"""

from __future__ import annotations

from sonata_core.errors import CommandFailed
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.net import NetnsRef

_LENGTH = 28
"""Of a chain's name."""


def chains(network: str, container: str) -> tuple[str, str]:
    """The chains of a container's masquerading and of its ports."""
    import hashlib

    digest = hashlib.sha512(f"{network}{container}".encode()).hexdigest()
    return f"CNI-{digest}"[:_LENGTH], f"CNI-DN-{digest}"[:_LENGTH]


def sweep(context: PluginContext, network: str, container: str, outer: NetnsRef | None) -> None:
    """Take away what is left of a container's rules in the nat tables. Raises CommandFailed."""
    where = None if outer is None else outer.path
    binds = () if outer is None else outer.binds
    for family in ("iptables", "ip6tables"):
        save, restore = (context.find_program(f"{family}-{verb}") for verb in ("save", "restore"))
        if save is None or restore is None:
            continue
        environment = {"PATH": context.facts.path}
        said = context.run_command(Command(argv=(save, "-t", "nat"), env=environment, netns=where, binds=binds))
        if said.code:
            continue  # a kernel without that family's tables
        text = removal(said.stdout.decode(errors="replace"), chains(network, container))
        if not text:
            continue
        argv = (restore, "--noflush", "--wait")
        command = Command(argv=argv, env=environment, input=text.encode(), netns=where, binds=binds)
        done = context.run_command(command)
        if done.code:
            complaint = done.stderr.decode(errors="replace").strip()
            raise CommandFailed(f"{family}-restore: {complaint}", argv=argv, code=done.code)


def removal(saved: str, names: tuple[str, ...]) -> str:
    """What `iptables-restore` reads to remove chains and the rules that lead to them; empty where there are none."""
    lines = saved.splitlines()
    own = [name for name in names if any(line.startswith(f":{name} ") for line in lines)]
    if not own:
        return ""
    jumps = [line for line in lines if line.startswith("-A ") and line.rpartition(" ")[2] in own]
    gone = [f"-D{line[2:]}" for line in jumps]
    return "\n".join(["*nat", *gone, *(f"-F {name}" for name in own), *(f"-X {name}" for name in own), "COMMIT", ""])
