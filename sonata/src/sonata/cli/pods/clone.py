"""`sonata pod clone`."""

from __future__ import annotations

import os

from sonata.cli.containers.create import working_folder
from sonata.cli.request import RENAMED
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

_OWN = ("destroy", "name", "start")


def given_options(parsed: Parsed) -> dict[str, object]:
    """What the command line changes, by the names that the request of `pod create` has for it."""
    return {
        RENAMED.get(name, name.replace("-", "_")): tuple(value) if isinstance(value, list) else value
        for name, value in parsed.values.items()
        if name not in _OWN
    }


def command(parsed: Parsed, call: Call) -> int:
    """Clone a pod and print the new one's id. A name as an argument goes before `--name`, as Podman has it."""
    from sonata.engine.pods.clone import clone_and
    from sonata.engine.pods.select import one
    from sonata.model.pod import PodRequest
    from sonata_core.record import fields_of

    engine = call.engine
    pod = one(engine, parsed.args[0])
    known = fields_of(PodRequest)
    given = {name: value for name, value in given_options(parsed).items() if name in known}
    name = parsed.args[1] if len(parsed.args) > 1 else parsed["name"]
    if name == pod.name:
        raise UsageError(f'name "{name}" is in use: pod already exists', hint="leave it out for a name that is free")
    more = {**given, "caller_env": dict(os.environ), "caller_dir": working_folder()}
    made = clone_and(engine, pod, more, name, destroy=parsed["destroy"], begin=parsed["start"])
    print(made.id)
    return 0
