"""The infra container: it holds what a pod shares, and waits."""

from __future__ import annotations

import os

from sonata.engine.containers.decide import decide
from sonata.engine.images.ensure import ensure, policy_named
from sonata.engine.images.facts import image_facts
from sonata.model.container import MountKind, MountUse, NetworkMode
from sonata.model.materials import ImageFacts
from sonata.model.pod import INFRA_PROGRAM
from sonata.plan.pod import infra_request
from sonata_core import interrupts
from sonata_core.errors import HostLacks
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.pod import PodConfig, PodRequest
    from sonata.store.records import ImageRecord


def folder(engine: Engine) -> str:
    """The empty folder over which the root filesystems of infra containers lie; made anew after a reboot."""
    path = f"{engine.config.paths.run_dir}/infra-container"
    os.makedirs(path, mode=0o755, exist_ok=True)
    return path


def program(engine: Engine) -> str:
    """The host's program that does nothing but wait and reap. Raises HostLacks."""
    found = engine.find_program("catatonit")
    if not found:
        raise HostLacks(
            'building local pause image: finding pause binary: could not find "catatonit" in one of '
            f"{engine.config.engine.helper_binaries_dir} or in $PATH",
            hint="apt-get install catatonit; or name an image with --infra-image, or share nothing: --infra=false",
        )
    return found


def plan(engine: Engine, request: PodRequest, pod: PodConfig) -> tuple[ContainerConfig, ImageRecord | None]:
    """The infra container that the pod is to have, and its image if it has one. Makes nothing but an empty folder.

    Raises what deciding a container raises, what a pull raises, HostLacks.
    """
    settings = engine.config.engine
    request = request.replace(
        infra_image=request.infra_image or settings.infra_image,
        infra_command=request.infra_command or settings.infra_command or None,
    )
    wanted = infra_request(request, pod, folder(engine))
    facts, image = ImageFacts(), None
    if request.infra_image:
        with interrupts.Window():
            image, name = ensure(engine, request.infra_image, policy_named(None, settings.pull_policy), wanted)
        facts = image_facts(engine, image, name)
    config = _known_as(decide(engine, wanted, facts), wanted.hostname)
    mounts = config.mounts
    if image is None:
        mounts = (*mounts, _program_mount(engine))
    return config.replace(infra=True, mounts=mounts, resources={}, create_command=(), image_given=""), image


def _known_as(config: ContainerConfig, name: str) -> ContainerConfig:
    """With the pod's host name as an alias on every network: that is how other containers find the pod."""
    network = config.network
    if not name or network.mode is not NetworkMode.BRIDGE:
        return config
    uses = (use.replace(aliases=tuple(dict.fromkeys((*use.aliases, name)))) for use in network.networks)
    return config.replace(network=network.replace(networks=tuple(uses)))


def _program_mount(engine: Engine) -> MountUse:
    options = ("rprivate", "nosuid", "nodev")
    return MountUse(
        kind=MountKind.BIND,
        source=program(engine),
        target=INFRA_PROGRAM,
        options=options,
        read_only=True,
        origin="infra",
    )
