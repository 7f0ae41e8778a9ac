"""Files and environment to one `EngineConfig`: the only reader of either.

What the files say is kept as a memo, keyed by the identity and times of every file that was read
or looked for, so that a command which finds nothing changed reads one small JSON file.
"""

from __future__ import annotations

import os

from sonata.config.search import Found, places_of, search
from sonata.config.values import (
    CHOOSING,
    ContainerSettings,
    EngineConfig,
    EnginePaths,
    EngineSettings,
    NetworkSettings,
    Places,
    SecretSettings,
    StorageSettings,
)
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.memo import Memo, stamp_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.config.parse import Reader

_KEPT_VARIABLES = ("LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "PATH")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
_KEPT = (*CHOOSING, *_KEPT_VARIABLES, *_PROXIES, *(name.upper() for name in _PROXIES))


def load_config(
    environ: Mapping[str, str],
    uid: int,
    overrides: Mapping[str, Any] | None = None,
    places: Places | None = None,
    modules: tuple[str, ...] = (),
) -> EngineConfig:
    """The configuration for one command.

    `overrides` are what the command line says, by the names of the files (`engine.runtime`,
    `storage.graphroot`); `storage.options` is a sequence of `key=value`. `modules` are files of
    containers.conf's kind that go before the others. Raises UsageError with
    file and line for what cannot be read.
    """
    where = places or places_of(environ, uid)
    given = dict(overrides or {})
    known = _known(where, environ, modules)
    tables: dict[str, dict[str, Any]] = known["tables"]
    _apply_environment(tables, environ, given)
    for name, value in given.items():
        table, _, key = name.partition(".")
        if key not in tables.get(table, ()):
            raise UsageError(f"no such setting: {name}")
        tables[table][key] = value
    storage = _storage(tables["storage"], where, given)
    engine = EngineSettings(**tables["engine"])
    containers = ContainerSettings(**tables["containers"])
    network = NetworkSettings(**tables["network"])
    return EngineConfig(
        rootless=where.uid != 0,
        containers=containers,
        engine=engine,
        network=network,
        secrets=SecretSettings(**tables["secrets"]),
        storage=storage,
        paths=_paths(containers, engine, network, storage, where),
        places=where,
        environment=_kept_environment(environ, engine),
        files=known["files"],
        unknown=known["unknown"],
    )


def memo_of(places: Places) -> Memo:
    """The folder in which parsed files are remembered."""
    return Memo(f"{places.cache}/sonata/memo")


def stamp_for(*founds: Found) -> str:
    """What must be unchanged for a memo to hold: the files, and the table that reads them."""
    here = os.path.dirname(__file__)
    return stamp_of(f"{here}/settings.py", f"{here}/load.py", *(path for found in founds for path in found.watched))


def _known(places: Places, environ: Mapping[str, str], modules: tuple[str, ...]) -> dict[str, Any]:
    """What the files and the defaults say: `tables`, `files` and `unknown`."""
    containers = search(places, "containers.conf", environ, "CONTAINERS_CONF", modules)
    storage = search(places, "storage.conf", environ, "CONTAINERS_STORAGE_CONF")
    memo, stamp = memo_of(places), stamp_for(containers, storage)
    known = memo.get("config", stamp)
    if known is None:
        known = _read(containers, storage, places)
        memo.put("config", stamp, known)
    frozen: dict[str, Any] = {name: frozen_value(value) for name, value in known.items()}
    return frozen


def frozen_value(value: Any) -> Any:
    """JSON's lists as tuples, all the way down."""
    if isinstance(value, (list, tuple)):
        return tuple(frozen_value(item) for item in value)
    if isinstance(value, dict):
        return {key: frozen_value(item) for key, item in value.items()}
    return value


def _read(containers: Found, storage: Found, places: Places) -> dict[str, Any]:
    from sonata.config.parse import Reader
    from sonata.config.settings import CONTAINERS_CONF, STORAGE_CONF

    main, store = Reader(CONTAINERS_CONF), Reader(STORAGE_CONF)
    for path in containers.files:
        main.read(path)
    for path in storage.files:
        store.read(path)
    tables: dict[str, dict[str, Any]] = {"containers": {}, "engine": {}, "network": {}, "secrets": {}}
    for (table, key), value in main.values.items():
        tables[table][key] = value
    tables["storage"] = _storage_table(store, places)
    return {
        "tables": tables,
        "files": (*containers.files, *storage.files),
        "unknown": (*main.unknown, *store.unknown),
    }


_NO_DRIVER_S = ("imagestore", "root-auto-userns-user")


def _storage_table(reader: Reader, places: Places) -> dict[str, Any]:
    """storage.conf's values with the drivers' tables gathered under `options`."""
    values = reader.values
    result: dict[str, Any] = {key: value for (table, key), value in values.items() if table == "storage"}
    if places.uid:
        # A system file's folders belong to root; an ordinary user has folders of its own.
        for key in ("graphroot", "runroot"):
            if not reader.origin.get(("storage", key), "/").startswith(f"{places.user}/"):
                result[key] = ""
        result["graphroot"] = result["graphroot"] or result["rootless_storage_path"]
    common = {
        key: value for (table, key), value in values.items() if table == "storage.options" and isinstance(value, str)
    }
    options = {"": {key: value for key, value in common.items() if value and key not in _NO_DRIVER_S}}
    for driver in ("overlay", "vfs"):
        own = {key: value for (table, key), value in values.items() if table == f"storage.options.{driver}" and value}
        shared = {key: value for key, value in options[""].items() if ("storage.options." + driver, key) in values}
        options[driver] = {**shared, **own}
    result["imagestore"] = result["imagestore"] or common["imagestore"]
    result["additionalimagestores"] = values[("storage.options", "additionalimagestores")]
    result["pull_options"] = values[("storage.options", "pull_options")]
    result["options"] = options
    for name, key in (
        ("user", "root-auto-userns-user"),
        ("min", "auto-userns-min-size"),
        ("max", "auto-userns-max-size"),
    ):
        result[f"auto_userns_{name}"] = values[("storage.options", key)]
    return result


def _apply_environment(tables: dict[str, dict[str, Any]], environ: Mapping[str, str], given: Mapping[str, Any]) -> None:
    if mode := environ.get("PODMAN_USERNS"):
        tables["containers"]["userns"] = mode
    engine, storage = tables["engine"], tables["storage"]
    if folder := environ.get("CONTAINERS_HELPER_BINARY_DIR"):
        engine["helper_binaries_dir"] = (folder, *engine["helper_binaries_dir"])
    if (firewall := environ.get("NETAVARK_FW")) and not tables["network"]["firewall_driver"]:
        tables["network"]["firewall_driver"] = firewall
    if folder := environ.get("TMPDIR"):
        engine["image_copy_tmp_dir"] = folder
    if driver := environ.get("STORAGE_DRIVER"):
        storage["driver"] = driver
    if "storage.graphroot" in given or "storage.driver" in given:
        # As Podman: another root or driver on the command line leaves storage.conf's options behind.
        storage["options"], storage["additionalimagestores"] = {"": {}}, ()
    if options := environ.get("STORAGE_OPTS"):
        _replace_options(storage, tuple(options.split(",")))


def _replace_options(storage: dict[str, Any], options: tuple[str, ...]) -> None:
    """Options given as `driver.key=value`, `.key=value` or `key=value` instead of the file's."""
    tables: dict[str, dict[str, str]] = {"": {}, "overlay": {}, "vfs": {}}
    stores: list[str] = []
    for option in options:
        if not option:
            continue
        name, equals, value = option.partition("=")
        driver, dot, key = name.rpartition(".")
        if not equals or not key:
            raise UsageError(f"storage option {option!r}: want key=value", hint="Such as overlay.mountopt=nodev.")
        if key in ("imagestore", "additionalimagestore"):
            stores.append(value)
        elif key == "additionalimagestores":
            stores += value.split(",")
        else:
            _set_option(tables, driver if dot else "", key, value)
    storage["options"], storage["additionalimagestores"] = tables, tuple(stores)


def with_options(settings: StorageSettings, options: tuple[str, ...]) -> StorageSettings:
    """Settings with other options of `--storage-opt`'s kind, and the stores that they name. Raises UsageError."""
    table: dict[str, Any] = {}
    _replace_options(table, options)
    _check_options(table["options"])
    return settings.replace(
        options=table["options"], additional_stores=_additional(table["additionalimagestores"], settings.driver)
    )


def _set_option(tables: dict[str, dict[str, str]], driver: str, key: str, value: str) -> None:
    driver = "overlay" if driver == "overlay2" else driver
    if driver == "vfs" and key == "mountopt":
        raise UsageError("configure storage: vfs driver does not support mount options")
    if driver == "vfs" and key not in ("ignore_chown_errors", "sync"):
        raise UsageError(f'configure storage: unknown option "{key}" ("vfs.{key}={value}")')
    for name in [driver] if driver else list(tables):
        tables.setdefault(name, {})[key] = value


_BOOLEANS = ("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False", "")


def _check_options(tables: Mapping[str, Mapping[str, str]]) -> None:
    """What no driver looks at itself. Raises UsageError."""
    for driver, options in tables.items():
        for key in ("ignore_chown_errors", "skip_mount_home", "use_composefs"):
            if (word := options.get(key, "")) not in _BOOLEANS:
                raise UsageError(f'configure storage: strconv.ParseBool: parsing "{word}": invalid syntax')
        if (word := options.get("sync", "")) not in ("", "none", "filesystem"):
            name = f" for {driver} driver" if driver else ""
            raise UsageError(f'configure storage: invalid sync mode{name}: invalid sync mode: "{word}"')


def _storage(table: dict[str, Any], places: Places, given: Mapping[str, Any]) -> StorageSettings:
    if "storage.options" in given:
        _replace_options(table, tuple(given["storage.options"]))
    _check_options(table["options"])
    rootful = places.uid == 0
    graph = _expanded(table["graphroot"], places)
    run = _expanded(table["runroot"], places)
    image_store = _expanded(table["imagestore"], places)
    driver = "overlay" if table["driver"] == "overlay2" else table["driver"]
    return StorageSettings(
        driver=driver,
        driver_asked="storage.driver" in given,
        driver_priority=table["driver_priority"],
        graph_root=_absolute(graph or ("/var/lib" if rootful else _data_home(places)) + "/containers/storage"),
        run_root=_absolute(run or ("/run/containers/storage" if rootful else f"{places.runtime_dir}/containers")),
        image_store=_absolute(image_store) if image_store else "",
        transient=table["transient_store"],
        additional_stores=_additional(table["additionalimagestores"], driver),
        options=table["options"],
        pull_options=table["pull_options"],
        auto_userns_user=table["auto_userns_user"],
        auto_userns_min=table["auto_userns_min"],
        auto_userns_max=table["auto_userns_max"],
    )


def _additional(paths: tuple[str, ...], driver: str) -> tuple[str, ...]:
    for path in paths:
        if path and not path.startswith("/"):
            told = f'configure storage: {driver or "overlay"}: image path "{path}" is not absolute. Can not be relative'
            raise UsageError(told, hint="give the whole path of the store's graph root")
    return tuple(path for path in paths if path)


def _data_home(places: Places) -> str:
    found = places.data or (f"{places.home}/.local/share" if places.home else "")
    if not found:
        raise UsageError("neither HOME nor XDG_DATA_HOME is set", hint="Set HOME, or give --root.")
    return found


def _expanded(path: str, places: Places) -> str:
    if "$" not in path:
        return path
    user = os.path.basename(places.home)
    for name, value in (("HOME", places.home), ("UID", str(places.uid)), ("USER", user)):
        path = path.replace("${" + name + "}", value).replace("$" + name, value)
    return path


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        hint = "Storage folders are absolute paths; without --root they are below HOME or XDG_DATA_HOME."
        raise UsageError(f'storage path "{path}" is not absolute', hint=hint)
    return os.path.normpath(path)


def _paths(
    containers: ContainerSettings,
    engine: EngineSettings,
    network: NetworkSettings,
    storage: StorageSettings,
    places: Places,
) -> EnginePaths:
    run = f"{engine.tmp_dir or storage.run_root}/sonata"
    tmp = engine.image_copy_tmp_dir
    networks = "/etc/containers/networks" if places.uid == 0 else f"{storage.graph_root}/networks"
    usual_networks = network.network_config_dir in ("", "/etc/containers/networks") and places.uid == 0
    return EnginePaths(
        # State that does not outlive a boot lies with what no boot outlives.
        static_dir=f"{run}/transient" if storage.transient else f"{engine.static_dir or storage.graph_root}/sonata",
        run_dir=run,
        cache_dir=f"{places.cache}/sonata",
        volume_path=engine.volume_path or f"{storage.graph_root}/volumes",
        network_config_dir=network.network_config_dir or networks,
        cni_config_dir=network.network_config_dir
        or (f"{os.path.dirname(places.user)}" if places.uid else "/etc") + "/cni/net.d",
        network_run_dir="/run/containers/networks" if usual_networks else f"{storage.run_root}/networks",
        roots_dir="/run/sonata-roots" if places.uid == 0 else f"/var/tmp/sonata-roots-{places.uid}",  # noqa: S108
        netns_dir="/run/netns" if places.uid == 0 else f"{places.runtime_dir}/netns",
        tmp_dir=storage.graph_root + "/tmp" if tmp == "storage" else tmp,  # noqa: S108
        events_log=engine.events_logfile_path or f"{run}/events/events.log",
        seccomp_profile=containers.seccomp_profile or _seccomp(places),
        init_path=containers.init_path or engine.init_path,
        alias_file=f"{places.cache}/containers/short-name-aliases.conf",
    )


def _seccomp(places: Places) -> str:
    for folder in (places.etc, places.usr):
        if os.path.exists(f"{folder}/seccomp.json"):
            return f"{folder}/seccomp.json"
    return ""


def _kept_environment(environ: Mapping[str, str], engine: EngineSettings) -> dict[str, str]:
    kept = {name: environ[name] for name in _KEPT if environ.get(name)}
    for entry in engine.env:
        name, _, value = entry.partition("=")
        if name not in environ:
            kept[name] = value
    return kept
