"""Creating containers: a request is decided, written down, and given a writable layer."""

from __future__ import annotations

import os
import time

from sonata.engine import events
from sonata.engine.containers import present
from sonata.engine.containers.materials import gather
from sonata.engine.containers.remove import remove_files
from sonata.engine.containers.rootfs import storage_maps
from sonata.engine.images.ensure import ensure, policy_named
from sonata.engine.images.facts import image_facts
from sonata.engine.paths import ContainerPaths
from sonata.engine.undo import Undo
from sonata.host import ports as host_ports
from sonata.model.container import ContainerConfig, MountKind, NamespaceKind
from sonata.model.materials import ImageFacts
from sonata.plan import network as plan_network
from sonata.plan import ports as plan_ports
from sonata.plan.container import plan_container
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata.state import intents
from sonata.state.rows import ContainerRow, ContainerState
from sonata.store.records import NewContainer
from sonata_core import interrupts, trace
from sonata_core.errors import AlreadyExists, HostLacks, NotFound, SonataError, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import ContainerId, ImageId
from sonata_core.sdk.folders import make_private, write_whole

if TYPE_CHECKING:
    from types import TracebackType

    from sonata.engine.engine import Engine
    from sonata.model.container import MountUse
    from sonata.model.materials import Materials
    from sonata.model.request import RunRequest
    from sonata.store.records import ImageRecord
    from sonata_core.sdk.locks import FileLock

_TO_SETTLE = (MountKind.GLOB, MountKind.IMAGE)


def create(engine: Engine, request: RunRequest) -> ContainerRow:
    """Create a container: afterwards it is `created`, and nothing of it runs.

    Raises UsageError, NotFound (image, network, another container), AlreadyExists (its name), and
    what a pull raises. A failed create leaves nothing behind.
    """
    with interrupts.Shield():
        if request.pod or request.pod_id_file or request.init_ctr:
            from sonata.engine.pods import joining

            return joining.create_member(engine, request, _create)
        return _create(engine, request)


def _create(engine: Engine, request: RunRequest) -> ContainerRow:
    present.recover(engine)
    if request.name:
        present.settle_owner(engine, request.name)
    image: ImageRecord | None = None
    facts = ImageFacts()
    if not request.rootfs:
        policy = policy_named(request.pull, engine.config.engine.pull_policy)
        plan_ports.parse_all(request.publish)  # nobody should wait for a pull to be told of these
        plan_network.require_alike(request)
        with trace.span("image"), interrupts.Window():
            image, name = ensure(engine, request.image, policy, request)
            facts = image_facts(engine, image, name)
    with trace.span("plan"):
        config = decide(engine, request, facts)
    for notice in config.notices:
        engine.notify(notice)
    if request.replace_existing and request.name:
        _remove_named(engine, request.name)
    return make(engine, config, image)


def make(engine: Engine, config: ContainerConfig, image: ImageRecord | None) -> ContainerRow:
    """Make the container that was decided: its row, its files and its writable layer; all of it or nothing."""
    with engine.locks.hold(config.id), Undo(engine.log) as undo:
        undo.push("lock", lambda: engine.locks.forget(config.id))
        if config.cid_file:
            _write_cid(config.cid_file, config.id)
            undo.push("cidfile", lambda: os.unlink(config.cid_file))
        ids: FileLock | None = None
        if config.namespaces.user.kind is NamespaceKind.AUTO:
            from sonata.engine.containers import userns

            ids, config = userns.claim(engine, config, image)
            undo.push("ids", ids.close)
        with trace.span("record"):
            row = _insert(engine, config)
        undo.push("intent", lambda: intents.forget(engine.database, config.id))
        undo.push("volumes", lambda: _remove_anonymous(engine, config))
        undo.push("row", lambda: rows.remove(engine.database, config.id, None))
        undo.push("files", lambda: remove_files(engine, config.backends.storage, config.id))
        with trace.span("layer"):
            _make_layer(engine, config, image)
        if ids is not None:
            ids.close()
        row = row.replace(state=row.state.replace(phase=Phase.CONFIGURED))
        with engine.database.transaction(durable=not config.auto_remove):
            rows.put_state(engine.database, config.id, row.state)
            intents.done(engine.database, config.id, "create")
        undo.keep()
    events.container(engine, config, "create")
    return row


def decide(engine: Engine, request: RunRequest, facts: ImageFacts) -> ContainerConfig:
    """The container that the request comes to, with host ports chosen and backends named. Makes nothing."""
    config = planned(engine, request, facts, gather(engine, request))
    wanted = plan_ports.wanted(config.network.ports)
    if wanted:
        free = [host_ports.find_free(one.protocol, one.host_ip, one.range) for one in wanted]
        ports = plan_ports.assign(config.network.ports, free)
        config = config.replace(network=config.network.replace(ports=ports))
    return config


def planned(engine: Engine, request: RunRequest, facts: ImageFacts, materials: Materials) -> ContainerConfig:
    """As `decide`, with nothing drawn: identity is in `materials`, host ports that nobody named are still 0."""
    from sonata.engine.choose import runtime_name

    config = plan_container(_from_here(request), facts, materials, engine.facts, engine.defaults)
    if config.security.seccomp_policy == "image":
        from sonata.engine.containers.seccomp_image import profile_of

        profile_of(config)
    _require_profile(config.security.seccomp)
    if any(use.kind in _TO_SETTLE for use in config.mounts):
        from sonata.engine.containers.layered_mounts import settle

        config = settle(engine, config)
    _require_sources(config)
    _require_namespaces(config)
    backends = config.backends.replace(runtime=runtime_name(engine), storage=engine.driver)
    config = config.replace(backends=backends)
    if "keep-groups" in config.process.groups and os.path.basename(backends.runtime) == "runc":
        raise Unsupported(
            "--group-add keep-groups: the runtime runc drops the groups of who starts a container",
            hint="--runtime crun",
        )
    _require_parts(engine, config)
    _require_places(config)
    return config


def _from_here(request: RunRequest) -> RunRequest:
    """With full paths of files that later commands use from other working directories."""
    changes = {}
    for name, words in (("hosts_file", ("none", "image")), ("pidfile", ()), ("conmon_pidfile", ())):
        path = getattr(request, name)
        if path and path not in words and not path.startswith("/"):
            changes[name] = os.path.abspath(path)
    return request.replace(**changes) if changes else request


def _require_sources(config: ContainerConfig) -> None:
    """A bind mount's source must be there already: nothing is made on the host by a slip of the pen."""
    for use in config.mounts:
        if use.kind in (MountKind.BIND, MountKind.OVERLAY) and not os.path.lexists(use.source):
            raise NotFound(f"statfs {use.source}: no such file or directory", name=use.source)


def _require_namespaces(config: ContainerConfig) -> None:
    """Raises NotFound where a namespace is named by a path that shows none."""
    spaces = config.namespaces
    for name, choice in (
        ("PID", spaces.pid),
        ("IPC", spaces.ipc),
        ("UTS", spaces.uts),
        ("cgroup", spaces.cgroup),
        ("network", spaces.network),
        ("user", spaces.user),
    ):
        if choice.kind is NamespaceKind.PATH:
            try:
                os.stat(choice.value)
            except OSError as error:
                told = (error.strerror or "").lower()
                raise NotFound(
                    f"cannot find specified {name} namespace path: faccessat {choice.value}: {told}"
                ) from error


def _require_places(config: ContainerConfig) -> None:
    """Files of the host that the container is to see, or to join, must be there. Raises UsageError, NotFound."""
    if config.process.timezone:
        from sonata.engine.containers import timezone

        timezone.source(config.process.timezone)
    hosts = config.network.base_hosts
    if hosts not in ("", "none", "image") and not os.path.exists(hosts):
        raise NotFound(f"failed to create new hosts file: open {hosts}: no such file or directory", name=hosts)


def _require_parts(engine: Engine, config: ContainerConfig) -> None:
    """What the container is to be made of must be there now. Raises UsageError, HostLacks."""
    if config.rootfs and not os.path.isdir(config.rootfs):
        why = "not a directory" if os.path.exists(config.rootfs) else "no such file or directory"
        raise UsageError(f"running container create option: faccessat {config.rootfs}: {why}")
    if config.healthcheck is not None:
        from sonata.engine.containers.health_log import require_folder

        require_folder(config.healthcheck.log_destination, "running container create option: ")
    if config.log.driver == "journald":
        from sonata.engine.containers import journal

        journal.require()
    if config.secrets:
        from sonata.engine.containers import secrets

        secrets.require(engine, config.secrets)
    if config.process.init:
        from sonata.engine.containers.files import init_program

        init_program(engine, config)
    cpu = config.resources.get("cpu", {})
    if "cpus" in cpu or "mems" in cpu:
        from sonata.host import cpusets

        cpusets.require(cpu.get("cpus", ""), cpu.get("mems", ""))
    if config.rdt_class and not os.path.ismount("/sys/fs/resctrl"):
        raise HostLacks(
            f"rdt class {config.rdt_class}: /sys/fs/resctrl is not there: no such file or directory",
            hint="mount -t resctrl resctrl /sys/fs/resctrl, on a host with Intel RDT; or leave out --rdt-class",
        )


def _require_profile(path: str) -> None:
    """Raise UsageError for a seccomp profile that is not there, before anything is made."""
    if path not in ("", "unconfined") and not os.path.exists(path):
        raise UsageError(f"opening seccomp profile failed: open {path}: no such file or directory")


def _remove_named(engine: Engine, name: str) -> None:
    from sonata.engine.containers.remove import remove

    try:
        remove(engine, name, force=True)
    except NotFound:
        return


def _insert(engine: Engine, config: ContainerConfig) -> ContainerRow:
    """Write the container down, with the volumes that it needs and what it depends on."""
    from sonata.engine.networks.lookup import definition_of

    networks = [definition_of(engine, use.network).name for use in config.network.networks]
    uses = tuple(use.replace(network=name) for use, name in zip(config.network.networks, networks, strict=True))
    config = config.replace(network=config.network.replace(networks=uses))
    volumes = [use for use in config.mounts if use.kind is MountKind.VOLUME]
    state = ContainerState(phase=Phase.CREATING, boot=engine.facts.boot_id)
    needs = [*config.requires, *_joined(config)]
    detail: dict[str, Any] = {"driver": config.backends.storage}
    begun = intents.Intent(id=config.id, kind="create", detail=detail)
    with _Volumes(engine, begun, volumes), engine.database.transaction():
        rows.insert(engine.database, config, state, rows.Uses(needs, [use.source for use in volumes], networks))
        intents.put(engine.database, begun)
    return ContainerRow(config=config, state=state)


def _remove_anonymous(engine: Engine, config: ContainerConfig) -> None:
    from sonata.engine.containers.remove import remove_volumes

    remove_volumes(engine, [use.source for use in config.mounts if use.anonymous])


class _Volumes:
    """The volumes that are not there yet are made. After an error those without a name of their own are gone again.

    That they belong to this container is known first: nobody would find those of a command that was killed.
    """

    def __init__(self, engine: Engine, begun: intents.Intent, uses: list[MountUse]) -> None:
        self._engine, self._begun, self._uses = engine, begun, uses
        self._anonymous = [use.source for use in uses if use.anonymous]

    def __enter__(self) -> None:
        if not self._uses:
            return
        from sonata.engine.volumes.use import ensure_volume

        if self._anonymous:
            detail = {**self._begun.detail, "anonymous": self._anonymous}
            intents.put(self._engine.database, self._begun.replace(detail=detail))
        try:
            for use in self._uses:
                ensure_volume(self._engine, use)
        except BaseException:
            self._undo()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._undo()

    def _undo(self) -> None:
        from sonata.engine.containers.remove import remove_volumes

        if self._anonymous:
            remove_volumes(self._engine, self._anonymous)
            intents.forget(self._engine.database, self._begun.id)


def _joined(config: ContainerConfig) -> list[str]:
    spaces = config.namespaces
    choices = (spaces.cgroup, spaces.ipc, spaces.network, spaces.pid, spaces.user, spaces.uts)
    return [choice.value for choice in choices if choice.kind is NamespaceKind.CONTAINER]


def _make_layer(engine: Engine, config: ContainerConfig, image: ImageRecord | None) -> None:
    paths = ContainerPaths(engine, config.backends.storage, config.id)
    if image is not None:
        maps, layer, shifted = storage_maps(config), image.layer, False
        if maps is not None:
            from sonata.engine.containers import shifting

            layer, shifted = shifting.base(engine, image, maps)
        transient = engine.config.storage.transient
        if transient:
            from sonata.engine.containers.transient import forget_dead

            forget_dead(engine)
        engine.store.create_container(
            NewContainer(
                id=ContainerId(config.id),
                name=config.name,
                image=ImageId(image.id),
                image_layer=layer,
                metadata=_metadata(config),
                volatile=config.auto_remove or transient,
                transient=transient,
                id_mapping=maps,
                shifted=shifted,
            )
        )
    for folder in (paths.bundle, paths.run_dir):
        make_private(folder)


def _metadata(config: ContainerConfig) -> str:
    from sonata_core import json_text as json

    known = {"image-name": config.image, "image-id": config.image_id, "name": config.name}
    return json.dumps({**known, "created-at": int(time.time())}, separators=(",", ":"))


def _write_cid(path: str, container: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError as error:
        raise AlreadyExists(
            f"container id file exists. Ensure another container is not using it or delete {path}",
        ) from error
    except OSError as error:
        raise SonataError(f"creating idfile: open {path}: {(error.strerror or '').lower()}") from error
    try:
        write_whole(handle, container.encode(), path)
    finally:
        os.close(handle)


def half_made(row: ContainerRow) -> bool:
    """A container whose creation did not end."""
    return row.state.phase == Phase.CREATING


def find_present(engine: Engine, text: str) -> ContainerRow:
    """A container as it is now, by name or id."""
    return present.load(engine, text)
