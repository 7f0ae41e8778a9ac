"""`info`: host, store, registries and plugins, in the shape and order of Podman's report."""

from __future__ import annotations

import os

from sonata.engine.containers import present
from sonata.engine.rootless import usable_controllers
from sonata.engine.system.packages import package_of
from sonata.state import containers as rows
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.process import Command

if TYPE_CHECKING:
    from sonata.engine.engine import Engine

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "riscv64": "riscv64"}
_LOGS = ("k8s-file", "none", "passthrough", "journald")
_CGROUPS = {1: "v1", 2: "v2"}


def info(engine: Engine) -> dict[str, Any]:
    """Everything that `info` shows but the program's own version. What this host lacks is left empty."""
    return {
        "host": host(engine),
        "store": store(engine),
        "registries": registries(engine),
        "plugins": {
            "volume": ["local"],
            "network": list(_net_facts(engine).get("drivers", ())),
            "log": list(_LOGS),
            "authorization": None,
        },
    }


def host(engine: Engine) -> dict[str, Any]:
    """The host and its helper programs."""
    facts, memory, release = engine.facts, _table("/proc/meminfo"), os_release()
    backend = engine.config.network.network_backend or "netavark"
    report: dict[str, Any] = {
        "arch": _MACHINES.get(facts.machine, facts.machine),
        "buildahVersion": "",
        "cgroupManager": engine.defaults.cgroup_manager,
        "cgroupVersion": _CGROUPS.get(facts.cgroup_version, "none"),
        "cgroupControllers": usable_controllers(engine),
        "conmon": _conmon(engine),
        "cpus": os.cpu_count() or 1,
        "cpuUtilization": cpu_use(_read("/proc/stat")),
        "databaseBackend": "sqlite",
        "distribution": release,
        "eventLogger": engine.config.engine.events_logger or "file",
        "hostname": os.uname().nodename,
        "idMappings": _mappings(engine),
        "kernel": facts.kernel,
        "logDriver": engine.config.containers.log_driver or "k8s-file",
        "memFree": memory.get("MemFree", 0) * 1024,
        "memTotal": memory.get("MemTotal", 0) * 1024,
        "networkBackend": backend,
        "networkBackendInfo": _network(engine, backend),
        "ociRuntime": _runtime(engine),
        "os": "linux",
        "remoteSocket": {"exists": False, "path": ""},
        "rootlessNetworkCmd": engine.config.network.default_rootless_network_cmd,
        "serviceIsRemote": False,
        "security": _security(engine),
        "slirp4netns": _helper(engine, "slirp4netns", ("slirp4netns",)),
        "pasta": _helper(engine, "pasta", ("passt",)),
        "swapFree": memory.get("SwapFree", 0) * 1024,
        "swapTotal": memory.get("SwapTotal", 0) * 1024,
        "uptime": uptime_text(float((_read("/proc/uptime") or "0").split()[0])),
        "variant": "v8" if facts.machine == "aarch64" else "",
        "linkmode": "dynamic",
    }
    emulated = emulated_architectures()
    return {**report, "emulatedArchitectures": emulated} if emulated else report


_BINFMT = "/proc/sys/fs/binfmt_misc"
_QEMU = {"aarch64": "linux/arm64", "arm": "linux/arm", "i386": "linux/386", "x86_64": "linux/amd64"}


def emulated_architectures() -> list[str]:
    """Platforms whose programs the kernel hands to an emulator, sorted."""
    try:
        names = [name.removeprefix("qemu-") for name in os.listdir(_BINFMT) if name.startswith("qemu-")]
    except OSError:
        return []
    return sorted(_QEMU.get(name, f"linux/{name}") for name in names)


def store(engine: Engine) -> dict[str, Any]:
    """The store, and how many containers and images are in it."""
    storage = engine.config.storage
    states = [present.corrected(engine, row).state.phase for row in rows.listed(engine.database)]
    room = _room(storage.graph_root)
    try:
        driver, images = engine.driver, len(engine.store.images())
        status = dict(engine.storage.hook.storage_facts().status)
    except SonataError:
        driver, images, status = storage.driver, 0, {}
    running, paused = states.count("running"), states.count("paused")
    return {
        "containerStore": {
            "number": len(states),
            "paused": paused,
            "running": running,
            "stopped": len(states) - paused - running,
        },
        "graphDriverName": driver,
        "graphOptions": {
            f"{driver}.{key}": value for key, value in sorted(storage.options.get(driver, {}).items()) if value
        },
        "graphRoot": storage.graph_root,
        "graphRootAllocated": room[0],
        "graphRootUsed": room[1],
        "graphStatus": status,
        "imageCopyTmpDir": engine.config.paths.tmp_dir,
        "imageStore": {"number": images},
        "runRoot": storage.run_root,
        "volumePath": engine.config.paths.volume_path,
        "transientStore": storage.transient,
    }


def registries(engine: Engine) -> dict[str, Any]:
    """Where short names are looked for. Empty where registries.conf says nothing, or nothing that makes sense."""
    from sonata.engine.images.lookup import registries as known

    try:
        search = known(engine).search
    except SonataError as error:
        engine.log.warning("registries_passed_over", error=error.message)
        return {}
    return {"search": list(search)} if search else {}


def os_release(path: str = "/etc/os-release") -> dict[str, str]:
    """The distribution's own words; `unknown` where it has none."""
    fields: dict[str, str] = {}
    for line in (_read(path) or _read("/usr/lib/os-release")).splitlines():
        key, equals, value = line.partition("=")
        if equals:
            fields[key] = value.strip("\"'")
    found = {"distribution": fields.get("ID", "unknown")}
    if fields.get("VARIANT_ID"):
        found["variant"] = fields["VARIANT_ID"]
    found["version"] = fields.get("VERSION_ID", "unknown")
    if fields.get("VERSION_CODENAME"):
        found["codename"] = fields["VERSION_CODENAME"]
    return found


def cpu_use(stat: str) -> dict[str, float]:
    """Shares since boot, in percent, from the first line of /proc/stat."""
    numbers = [int(word) for word in stat.partition("\n")[0].split()[1:] if word.isdigit()]
    if len(numbers) < 4 or not sum(numbers):
        return {"userPercent": 0.0, "systemPercent": 0.0, "idlePercent": 0.0}
    user, nice, system, idle = numbers[:4]
    whole = user + nice + system + idle
    return {
        "userPercent": round((user + nice) * 100 / whole, 2),
        "systemPercent": round(system * 100 / whole, 2),
        "idlePercent": round(idle * 100 / whole, 2),
    }


def uptime_text(seconds: float) -> str:
    """`1h 8m 19.00s (Approximately 0.04 days)`."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{hours}h"] if hours else []
    parts += [f"{minutes}m"] if hours or minutes else []
    text = " ".join([*parts, f"{left}.00s"])
    return f"{text} (Approximately {seconds / 86400:.2f} days)" if hours else text


def _conmon(engine: Engine) -> dict[str, str]:
    try:
        path = engine.conmon()
    except SonataError:
        return {"package": "", "path": "", "version": ""}
    return _program(engine, path, ("conmon",), first_line=True)


def _program(engine: Engine, path: str, names: tuple[str, ...], *, first_line: bool = False) -> dict[str, str]:
    try:
        text = engine.run_command(Command(argv=(path, "--version"), timeout=10.0)).stdout.decode("utf-8", "replace")
    except SonataError:
        text = ""
    text = ", ".join(text.strip().splitlines()) if first_line else text.strip()
    return {"package": package_of(path, names), "path": path, "version": text}


def _helper(engine: Engine, name: str, packages: tuple[str, ...]) -> dict[str, str]:
    path = engine.find_program(name)
    if path is None:
        return {"executable": "", "package": "", "version": ""}
    found = _program(engine, path, packages)
    return {"executable": path, "package": found["package"], "version": found["version"]}


def _runtime(engine: Engine) -> dict[str, str]:
    from sonata.engine.choose import runtime_name

    try:
        name = runtime_name(engine)
        facts = engine.runtime(name).hook.runtime_facts()
    except SonataError:
        return {"name": engine.config.engine.runtime, "package": "", "path": "", "version": ""}
    # Asked anew: what the backend remembers of its version was said in another environment.
    return {"name": name, **_program(engine, facts.program, (name,))}


def _net_facts(engine: Engine) -> dict[str, Any]:
    try:
        facts = engine.net(engine.config.network.network_backend or "netavark").hook.net_facts()
    except SonataError:
        return {}
    return {"program": facts.program, "version": facts.version, "drivers": facts.drivers}


def _network(engine: Engine, backend: str) -> dict[str, Any]:
    facts = _net_facts(engine)
    report: dict[str, Any] = {"backend": backend}
    if facts:
        report |= {
            "version": f"{backend} {facts['version']}",
            "package": package_of(facts["program"], (backend,)),
            "path": facts["program"],
        }
    names = engine.find_program("aardvark-dns") if backend == "netavark" else None
    report["dns"] = _program(engine, names, ("aardvark-dns", "netavark")) if names else {}
    report["defaultNetwork"] = engine.config.network.default_network
    return report


def _mappings(engine: Engine) -> dict[str, Any]:
    mapping = engine.facts.id_mapping
    if mapping is None:
        return {"gidmap": None, "uidmap": None}
    rows_of = {"gidmap": mapping.gids, "uidmap": mapping.uids}
    return {
        name: [{"container_id": one.container_id, "host_id": one.host_id, "size": one.size} for one in found]
        for name, found in rows_of.items()
    }


def _security(engine: Engine) -> dict[str, Any]:
    names = sorted(name.removeprefix("CAP_") for name in engine.config.containers.default_capabilities)
    return {
        "apparmorEnabled": engine.facts.apparmor,
        "capabilities": ",".join(f"CAP_{name}" for name in names),
        "rootless": engine.facts.rootless,
        "seccompEnabled": os.path.exists("/proc/sys/kernel/seccomp/actions_avail"),
        "seccompProfilePath": engine.config.paths.seccomp_profile,
        "selinuxEnabled": engine.facts.selinux,
    }


def _room(path: str) -> tuple[int, int]:
    while not os.path.isdir(path) and path not in ("/", ""):
        path = os.path.dirname(path)
    seen = os.statvfs(path or "/")
    return seen.f_blocks * seen.f_frsize, (seen.f_blocks - seen.f_bfree) * seen.f_frsize


def _table(path: str) -> dict[str, int]:
    found = {}
    for line in _read(path).splitlines():
        key, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdigit():
            found[key] = int(words[0])
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
