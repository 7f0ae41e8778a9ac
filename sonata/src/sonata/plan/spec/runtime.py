"""A container's config and what the engine prepared → config.json of the OCI runtime specification."""

from __future__ import annotations

from sonata.model.container import NamespaceKind
from sonata.plan import ulimits
from sonata.plan.spec import linux, mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sonata.model.container import ContainerConfig
    from sonata.model.materials import SpecInputs
    from sonata_core.lite import Any
    from sonata_core.models.host import HostFacts

SPEC_VERSION = "1.0.2"
"""What the oldest supported runtimes read; newer ones read it as well."""


def runtime_spec(config: ContainerConfig, inputs: SpecInputs, facts: HostFacts) -> dict[str, Any]:
    """The spec for one start of a container. Pure; nothing of it is shared with `config`."""
    hostname = host_name(config, inputs)
    spec: dict[str, Any] = {
        "ociVersion": SPEC_VERSION,
        "process": _process(config, inputs, facts, hostname),
        "root": {"path": inputs.rootfs.path} | ({"readonly": True} if config.read_only else {}),
    }
    if config.namespaces.uts.kind == NamespaceKind.PRIVATE:
        spec["hostname"] = hostname
    spec["mounts"] = mounts.build(config, inputs, facts)
    spec["annotations"] = marks(config)
    spec["linux"] = linux.build(config, inputs, facts)
    return spec


def host_name(config: ContainerConfig, inputs: SpecInputs) -> str:
    """The name that the container sees: its own, the host's where it shares that, else its short id."""
    if config.hostname:
        return config.hostname
    shares = (config.namespaces.uts.kind, config.namespaces.network.kind)
    if NamespaceKind.HOST in shares and inputs.net.hostname:
        return inputs.net.hostname
    return config.id[:12]


def _process(config: ContainerConfig, inputs: SpecInputs, facts: HostFacts, hostname: str) -> dict[str, Any]:
    process, security, rootfs = config.process, config.security, inputs.rootfs
    user: dict[str, Any] = {"uid": rootfs.uid, "gid": rootfs.gid, "umask": int(process.umask, 8)}
    groups = _groups(config, inputs)
    if groups:
        user["additionalGids"] = groups
    result: dict[str, Any] = {"terminal": True} if process.terminal else {}
    result |= {
        "user": user,
        "args": command(config),
        "env": [f"{name}={value}" for name, value in environment(config, inputs, hostname).items()],
        "cwd": process.cwd,
        "capabilities": capabilities(config, rootfs.uid),
    }
    if not config.rlimits_host:
        result["rlimits"] = ulimits.effective(config.rlimits, facts)
    if security.no_new_privileges:
        result["noNewPrivileges"] = True
    if security.apparmor and security.apparmor != "unconfined" and facts.apparmor:
        result["apparmorProfile"] = security.apparmor
    if process.oom_score_adj is not None:
        result["oomScoreAdj"] = process.oom_score_adj
    if inputs.selinux_process and not security.privileged:
        result["selinuxLabel"] = inputs.selinux_process
    return result


def _groups(config: ContainerConfig, inputs: SpecInputs) -> list[int]:
    """A given user's own group counts among the supplementary ones too."""
    rootfs = inputs.rootfs
    first = (rootfs.gid,) if config.process.user else ()
    return list(dict.fromkeys((*first, *rootfs.groups)))


def command(config: ContainerConfig) -> list[str]:
    """What is run: with `--init`, by the init program. No command at all is an empty word, as Podman has it."""
    args = list(config.process.args) or [""]
    return ["/run/podman-init", "--", *args] if config.process.init else args


def environment(config: ContainerConfig, inputs: SpecInputs, hostname: str) -> dict[str, str]:
    """The variables in order; HOME, HOSTNAME and systemd's id only where nobody set them, secrets last."""
    result = dict(config.process.env)
    result.setdefault("HOME", inputs.rootfs.home)
    result.setdefault("HOSTNAME", hostname)
    if config.process.systemd:
        result.setdefault("container_uuid", config.id[:32])
    result.update(inputs.secret_env)
    return result


def capabilities(config: ContainerConfig, uid: int) -> dict[str, list[str]]:
    """Root has its bounding set; anybody else only what was added by name."""
    chosen = config.security.capabilities
    bounding = list(chosen.bounding)
    if uid == 0:
        return {"bounding": bounding, "effective": bounding[:], "permitted": bounding[:]} if bounding else {}
    added = [name for name in config.security.cap_add if name in bounding]
    if "ALL" in config.security.cap_add:
        added = bounding
    if not added:
        return {"bounding": bounding} if bounding else {}
    return {
        "bounding": bounding,
        "effective": added[:],
        "inheritable": added[:],
        "permitted": added[:],
        "ambient": added[:],
    }


def marks(config: ContainerConfig) -> dict[str, str]:
    """The user's, and those by which tools know the container."""
    process = config.process
    result = dict(config.annotations)
    result["io.container.manager"] = "libpod"
    result["org.opencontainers.image.stopSignal"] = str(process.stop_signal)
    result["org.systemd.property.KillSignal"] = str(process.stop_signal)
    result["org.systemd.property.TimeoutStopUSec"] = f"uint64 {process.stop_timeout * 1_000_000}"
    flags = {
        "autoremove": config.auto_remove,
        "init": process.init,
        "privileged": config.security.privileged,
        "publish-all": config.network.publish_all,
    }
    result.update({f"io.podman.annotations.{name}": "TRUE" for name, on in flags.items() if on})
    result.update({f"io.podman.annotations.{name}": text for name, text in config.noted.items()})
    if "keep-groups" in process.groups:
        result["run.oci.keep_original_groups"] = "1"
    return result
