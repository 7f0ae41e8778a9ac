"""Files and environment to EngineConfig: order, drop-ins, lists, complaints, memo and weight."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from sonata.config import load
from sonata.config.defaults import defaults_for
from sonata.config.load import load_config
from sonata.config.search import places_of, search
from sonata.config.settings import CONTAINERS_CONF, STORAGE_CONF
from sonata.config.values import ContainerSettings, EngineConfig, EngineSettings, NetworkSettings, Places
from sonata_core.errors import UsageError
from sonata_core.record import fields_of


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("home", "user", "etc", "usr", "cache"):
        (tmp_path / name).mkdir()
    return Places(
        uid=os.geteuid(),
        home=str(tmp_path / "home"),
        user=str(tmp_path / "user"),
        etc=str(tmp_path / "etc"),
        usr=str(tmp_path / "usr"),
        cache=str(tmp_path / "cache"),
        runtime_dir="/run",
    )


def write(places: Places, where: str, content: str) -> str:
    path = Path(getattr(places, where.partition("/")[0]), where.partition("/")[2])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return str(path)


def loaded(places: Places, environ: dict[str, str] | None = None, **overrides: object) -> EngineConfig:
    given = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_config(environ or {}, places.uid, given, places)


def test_no_file_at_all(places: Places) -> None:
    config = loaded(places.replace(uid=0))
    assert config.files == ()
    assert config.containers.pids_limit == 2048
    assert config.containers.shm_size == "65536k"
    assert config.containers.log_size_max > 0, "logs are bounded by default"
    assert config.engine.stop_timeout == 10
    assert config.engine.runtimes["crun"][0] == "/usr/bin/crun"
    assert config.network.default_subnet == "10.88.0.0/16"
    assert config.network.default_subnet_pools[0] == ("10.89.0.0/16", 24)
    assert config.storage.graph_root == "/var/lib/containers/storage"
    assert config.storage.run_root == "/run/containers/storage"
    assert config.paths.static_dir == "/var/lib/containers/storage/sonata"
    assert config.paths.run_dir == "/run/containers/storage/sonata"
    assert config.paths.volume_path == "/var/lib/containers/storage/volumes"
    assert config.paths.network_config_dir == "/etc/containers/networks"
    assert config.paths.seccomp_profile == ""
    assert not config.rootless


def test_ordinary_user(places: Places) -> None:
    own = places.replace(uid=1000, runtime_dir="/run/user/1000")
    write(places, "etc/storage.conf", '[storage]\ngraphroot = "/big"\nrunroot = "/fast"\ndriver = "vfs"\n')
    config = load_config({}, 1000, {}, own)
    assert config.rootless
    assert config.storage.graph_root == f"{own.home}/.local/share/containers/storage"
    assert config.storage.run_root == "/run/user/1000/containers"
    assert config.storage.driver == "vfs"
    assert config.paths.network_config_dir == config.storage.graph_root + "/networks"


def test_rootless_storage_path_expands(places: Places) -> None:
    write(places, "etc/storage.conf", '[storage]\nrootless_storage_path = "/store/$UID/$HOME"\n')
    config = load_config({}, 1000, {}, places.replace(uid=1000, home="/home/eva", runtime_dir="/r"))
    assert config.storage.graph_root == "/store/1000/home/eva"


def test_first_main_file_only(places: Places) -> None:
    write(places, "usr/containers.conf", "[engine]\nstop_timeout = 1\nretry = 9\n")
    write(places, "etc/containers.conf", "[engine]\nstop_timeout = 2\n")
    assert loaded(places).engine.stop_timeout == 2
    assert loaded(places).engine.retry == 3
    write(places, "user/containers.conf", "[engine]\nstop_timeout = 3\n")
    assert loaded(places).engine.stop_timeout == 3


def test_drop_ins_by_name_and_priority(places: Places) -> None:
    write(places, "etc/containers.conf", "[engine]\nstop_timeout = 1\nretry = 1\n")
    write(places, "usr/containers.conf.d/10-a.conf", "[engine]\nstop_timeout = 10\n")
    write(places, "etc/containers.conf.d/10-a.conf", "[engine]\nstop_timeout = 11\n")
    write(places, "usr/containers.conf.d/20-b.conf", "[engine]\nretry = 20\n")
    write(places, "user/containers.conf.d/05-c.conf", "[engine]\nretry = 5\nstop_timeout = 5\n")
    write(places, "etc/containers.conf.d/99-ignored.txt", "[engine]\nretry = 99\n")
    config = loaded(places)
    assert (config.engine.stop_timeout, config.engine.retry) == (11, 20)
    assert [os.path.basename(path) for path in config.files] == [
        "containers.conf",
        "05-c.conf",
        "10-a.conf",
        "20-b.conf",
    ]


@pytest.mark.parametrize(
    ("uid", "folder", "counts"),
    [
        (0, "containers.rootful.conf.d", True),
        (0, "containers.rootless.conf.d", False),
        (7, "containers.rootless.conf.d", True),
        (7, "containers.rootless.conf.d/7", True),
        (7, "containers.rootless.conf.d/8", False),
        (7, "containers.rootful.conf.d", False),
    ],
)
def test_drop_ins_by_user(places: Places, uid: int, folder: str, counts: bool) -> None:
    write(places, f"etc/{folder}/x.conf", "[engine]\nretry = 77\n")
    config = load_config({}, uid, {}, places.replace(uid=uid))
    assert (config.engine.retry == 77) is counts


def test_variables(places: Places, tmp_path: Path) -> None:
    write(places, "etc/containers.conf", "[engine]\nretry = 1\n")
    write(places, "etc/containers.conf.d/a.conf", "[engine]\nretry = 2\n")
    main, last = tmp_path / "main.conf", tmp_path / "last.conf"
    main.write_text("[engine]\nretry = 30\nstop_timeout = 30\n")
    last.write_text("[engine]\nretry = 40\n")
    assert loaded(places, {"CONTAINERS_CONF": str(main)}).engine.retry == 30
    assert loaded(places, {"CONTAINERS_CONF_OVERRIDE": str(last)}).engine.retry == 40
    both = loaded(places, {"CONTAINERS_CONF": str(main), "CONTAINERS_CONF_OVERRIDE": str(last)}).engine
    assert (both.retry, both.stop_timeout) == (40, 30)
    with pytest.raises(UsageError, match="CONTAINERS_CONF: stat /absent: no such file"):
        loaded(places, {"CONTAINERS_CONF": "/absent"})


def test_lists_append_for_good(places: Places) -> None:
    write(places, "etc/containers.conf", '[containers]\nenv = ["A=1"]\nvolumes = ["/a:/a"]\n')
    write(places, "etc/containers.conf.d/1.conf", '[containers]\nenv = ["B=2", {append=true}]\nvolumes = ["/b:/b"]\n')
    write(places, "etc/containers.conf.d/2.conf", '[containers]\nenv = ["C=3"]\n')
    write(places, "etc/containers.conf.d/3.conf", '[containers]\nenv = ["D=4", {append=false}]\n')
    assert loaded(places).containers.env == ("D=4",)
    os.unlink(f"{places.etc}/containers.conf.d/3.conf")
    config = loaded(places)
    assert config.containers.env == ("A=1", "B=2", "C=3")
    assert config.containers.volumes == ("/b:/b",)


def test_runtimes_merge_by_name(places: Places) -> None:
    write(places, "etc/containers.conf", '[engine.runtimes]\ncrun = ["/opt/crun"]\nmine = ["/opt/mine"]\n')
    runtimes = loaded(places).engine.runtimes
    assert runtimes["crun"] == ("/opt/crun",)
    assert runtimes["mine"] == ("/opt/mine",)
    assert "/usr/bin/runc" in runtimes["runc"]


def test_capabilities_have_one_spelling(places: Places) -> None:
    write(places, "etc/containers.conf", '[containers]\ndefault_capabilities = ["chown", "CAP_KILL"]\n')
    assert loaded(places).containers.default_capabilities == ("CAP_CHOWN", "CAP_KILL")


@pytest.mark.parametrize(
    ("given", "amount"),
    [
        ('"65536k"', 65536 << 10),
        ('"1g"', 1 << 30),
        ('"64m"', 64 << 20),
        ("12345", 12345),
        ('"2MiB"', 2 << 20),
        ('"7b"', 7),
    ],
)
def test_sizes(places: Places, given: str, amount: int) -> None:
    write(places, "etc/containers.conf", f"[engine]\nevents_logfile_max_size = {given}\n")
    assert loaded(places).engine.events_logfile_max_size == amount


def test_defaults_of_containers(places: Places) -> None:
    write(
        places,
        "etc/containers.conf",
        """
[containers]
pids_limit = 7
netns = "private"
shm_size = "1m"
[engine]
stop_timeout = 3
runtime = "runc"
[network]
default_network = "lan"
""",
    )
    made = defaults_for(loaded(places), systemd=True)
    assert (made.pids_limit, made.netns, made.shm_size) == (7, "", "1m")
    assert (made.stop_timeout, made.runtime, made.default_network) == (3, "runc", "lan")
    assert made.cgroup_manager == "systemd"
    assert made.log_size_max == 64 << 20
    assert defaults_for(loaded(places), systemd=False).cgroup_manager == "cgroupfs"
    assert defaults_for(loaded(places, storage__driver="vfs"), systemd=False).storage_driver == "vfs"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[engine]\n\nstop_timeout = 'x'\n", 'containers.conf:3: engine.stop_timeout: want a whole number, got "x"'),
        ("[engine]\nstop_timeout = -1\n", "containers.conf:2: engine.stop_timeout: want zero or more, got -1"),
        ("[engine]\nruntime = 5\n", "containers.conf:2: engine.runtime: want a string, got 5"),
        ("[engine]\nno_pivot_root = 'yes'\n", "containers.conf:2: engine.no_pivot_root: want true or false"),
        ("[containers]\nenv = 'A=1'\n", "containers.conf:2: containers.env: want a list of strings"),
        ("[containers]\nenv = [1]\n", "containers.conf:2: containers.env: want a string"),
        ("[containers]\nenv = [{append=1}]\n", "containers.conf:2: containers.env: want append=true"),
        ("[containers]\numask = '99'\n", "containers.conf:2: containers.umask: want octal digits"),
        ("[containers]\nlog_driver = 'x'\n", "log_driver: want one of k8s-file, journald"),
        ("[containers]\nshm_size = 'big'\n", "shm_size: want a size"),
        ("[engine]\npull_policy = 'no'\n", "pull_policy: want one of always, missing, newer, never"),
        ("[network]\ndefault_subnet = '10.1.1'\n", "containers.conf:2: network.default_subnet: "),
        ("[network]\ndefault_subnet_pools = [{base='10.0.0.0/24', size=8}]\n", "does not fit into 10.0.0.0/24"),
        ("[engine.runtimes]\ncrun = '/x'\n", "containers.conf:1: engine.runtimes: want a list of strings"),
        ("engine = 1\n", "containers.conf:1: engine: want a table"),
        ("[engine]\nretry = \n", "containers.conf:2: Invalid value"),
        ("[engine\n", "containers.conf:1: "),
        ("[engine]\nretry = 1\nretry = 2\n", "containers.conf:3: Cannot overwrite a value"),
    ],
)
def test_complaints_say_file_line_and_cause(places: Places, content: str, told: str) -> None:
    write(places, "etc/containers.conf", content)
    with pytest.raises(UsageError) as caught:
        loaded(places)
    assert told in caught.value.message
    assert caught.value.message.startswith(places.etc)
    assert caught.value.hint


def test_not_text_and_too_large(places: Places) -> None:
    path = Path(write(places, "etc/containers.conf", ""))
    path.write_bytes(b"[engine]\n\xff\xfe")
    with pytest.raises(UsageError, match="byte 9 is not UTF-8"):
        loaded(places)
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(UsageError, match="larger than"):
        loaded(places)


def test_unknown_keys_are_noted(places: Places) -> None:
    path = write(places, "etc/containers.conf", "[engine]\nnew_thing = 1\n[farms]\ndefault = ''\n")
    assert loaded(places).unknown == (f"{path}: engine.new_thing",)


def test_storage_options(places: Places) -> None:
    write(
        places,
        "etc/storage.conf",
        """
[storage]
driver = "overlay2"
graphroot = "/g/../graph"
runroot = "/run/r"
transient_store = true
[storage.options]
additionalimagestores = ["/ro"]
mountopt = "nodev"
ignore_chown_errors = true
[storage.options.overlay]
mountopt = "nodev,metacopy=on"
size = "1g"
""",
    )
    storage = loaded(places.replace(uid=0)).storage
    assert storage.driver == "overlay"
    assert storage.graph_root == "/graph"
    assert storage.transient
    assert storage.additional_stores == ("/ro",)
    assert storage.options["overlay"] == {"mountopt": "nodev,metacopy=on", "ignore_chown_errors": "true", "size": "1g"}
    assert storage.options["vfs"] == {"ignore_chown_errors": "true"}


WRONG_OPTIONS = (
    ("overlay.sync=bogus", 'invalid sync mode for overlay driver: invalid sync mode: "bogus"'),
    ("overlay.ignore_chown_errors=maybe", 'strconv.ParseBool: parsing "maybe": invalid syntax'),
    ("overlay.skip_mount_home=x", 'strconv.ParseBool: parsing "x": invalid syntax'),
    ("overlay.imagestore=x", 'overlay: image path "x" is not absolute. Can not be relative'),
    ("vfs.foo=1", 'unknown option "foo" ("vfs.foo=1")'),
    ("vfs.mountopt=nodev", "vfs driver does not support mount options"),
)


def test_storage_from_environment_and_flags(places: Places) -> None:
    write(places, "etc/storage.conf", '[storage]\ndriver="overlay"\n[storage.options.overlay]\nmountopt="nodev"\n')
    assert loaded(places, {"STORAGE_DRIVER": "vfs"}).storage.driver == "vfs"
    options = loaded(places, {"STORAGE_OPTS": "overlay.mountopt=nosuid,.size=1g,overlay.imagestore=/ro"}).storage
    assert options.options["overlay"] == {"mountopt": "nosuid", "size": "1g"}
    assert options.additional_stores == ("/ro",)
    by_flag = loaded(places, {"STORAGE_DRIVER": "vfs"}, storage__driver="overlay", storage__graphroot="/tmp/x").storage
    assert (by_flag.driver, by_flag.graph_root) == ("overlay", "/tmp/x")
    assert by_flag.options == {"": {}}, "--root leaves storage.conf's options behind, as Podman's does"
    assert loaded(places, {}, storage__options=("vfs.sync=none",)).storage.options["vfs"] == {"sync": "none"}
    for option, message in WRONG_OPTIONS:
        with pytest.raises(UsageError) as wrong:
            loaded(places, {}, storage__options=(option,))
        assert str(wrong.value) == f"configure storage: {message}", option
    with pytest.raises(UsageError, match="want key=value"):
        loaded(places, {"STORAGE_OPTS": "nonsense"})
    with pytest.raises(UsageError, match='storage path "x" is not absolute'):
        loaded(places, {}, storage__graphroot="x")
    with pytest.raises(UsageError, match='storage path "x" is not absolute'):
        loaded(places, {}, storage__imagestore="x")
    with pytest.raises(UsageError, match=r"no such setting: engine\.nonsense"):
        loaded(places, {}, engine__nonsense="x")


def test_environment_variables(places: Places) -> None:
    environ = {"TMPDIR": "/scratch", "CONTAINERS_HELPER_BINARY_DIR": "/h", "PODMAN_USERNS": "keep-id", "SECRET": "x"}
    config = loaded(places, environ)
    assert config.paths.tmp_dir == "/scratch"
    assert config.engine.helper_binaries_dir[0] == "/h"
    assert config.containers.userns == "keep-id"
    assert "SECRET" not in config.environment


def test_engine_env_fills_gaps_only(places: Places) -> None:
    write(places, "etc/containers.conf", '[engine]\nenv = ["https_proxy=http://p", "http_proxy=http://q"]\n')
    config = loaded(places, {"http_proxy": "http://mine"})
    assert config.environment["https_proxy"] == "http://p"
    assert config.environment["http_proxy"] == "http://mine"


def test_own_folders_follow_the_settings(places: Places) -> None:
    write(places, "etc/containers.conf", '[engine]\ntmp_dir="/t"\nstatic_dir="/s"\nimage_copy_tmp_dir="storage"\n')
    write(places, "usr/seccomp.json", "{}")
    paths = loaded(places, {}, storage__graphroot="/g").paths
    assert (paths.run_dir, paths.static_dir, paths.tmp_dir) == ("/t/sonata", "/s/sonata", "/g/tmp")
    assert paths.seccomp_profile == f"{places.usr}/seccomp.json"
    write(places, "etc/seccomp.json", "{}")
    assert loaded(places).paths.seccomp_profile == f"{places.etc}/seccomp.json"


@pytest.mark.needs_root
def test_root_takes_no_orders_from_another_users_home(places: Places) -> None:
    path = write(places, "user/containers.conf", "[engine]\nretry = 66\n")
    assert loaded(places.replace(uid=0)).engine.retry == 66
    os.chown(path, 12345, 12345)
    assert loaded(places.replace(uid=0)).engine.retry == 3


def test_places_of_environment() -> None:
    root = places_of({"HOME": "/root"}, 0)
    assert (root.user, root.cache, root.runtime_dir) == ("/root/.config/containers", "/var/cache", "/run")
    me = pwd.getpwuid(65534)
    assert places_of({}, 65534).home == me.pw_dir, "as a service without HOME"
    eva = places_of({"HOME": "/home/eva", "XDG_CONFIG_HOME": "/c", "XDG_RUNTIME_DIR": "/r", "XDG_CACHE_HOME": "/k"}, 9)
    assert (eva.user, eva.cache, eva.runtime_dir) == ("/c/containers", "/k", "/r")
    assert places_of({}, 4321).user == ""
    assert search(places_of({}, 4321), "no-such.conf", {}, "NO_SUCH").files == ()


def test_rows_and_records_agree() -> None:
    rows = {
        table: {row.field for row in CONTAINERS_CONF if row.table == table}
        for table in ("containers", "engine", "network")
    }
    assert rows["containers"] == set(fields_of(ContainerSettings))
    assert rows["engine"] == set(fields_of(EngineSettings))
    assert rows["network"] == set(fields_of(NetworkSettings))
    assert all(row.help for row in CONTAINERS_CONF + STORAGE_CONF)
    at = [(row.table, row.key) for row in CONTAINERS_CONF + STORAGE_CONF]
    assert len(at) == len(set(at))


def test_memo_answers_until_a_file_changes(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(places, "etc/containers.conf", "[engine]\nretry = 5\n[containers]\nenv=['A=1']\n")
    cold = loaded(places)
    memo = Path(places.cache, "sonata/memo")
    assert memo.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(load, "_read", lambda *_: pytest.fail("a warm start must not parse"))
    assert loaded(places) == cold
    monkeypatch.undo()
    Path(path).write_text("[engine]\nretry = 6\n[containers]\nenv=['A=1']\n")
    assert loaded(places).engine.retry == 6
    write(places, "etc/containers.conf.d/new.conf", "[engine]\nretry = 7\n")
    assert loaded(places).engine.retry == 7
    os.unlink(f"{places.etc}/containers.conf.d/new.conf")
    assert loaded(places).engine.retry == 6
    os.unlink(path)
    assert loaded(places).engine.retry == 3


def test_memo_damaged_is_as_absent(places: Places) -> None:
    write(places, "etc/containers.conf", "[engine]\nretry = 5\n")
    cold = loaded(places)
    (kept,) = Path(places.cache, "sonata/memo").glob("*.json")
    for content in (b"", b"{", b"[]", json.dumps({"stamp": "x", "value": 1}).encode()):
        kept.write_bytes(content)
        assert loaded(places) == cold


def test_warm_start_is_light(places: Places) -> None:
    write(places, "etc/containers.conf", "[engine]\nretry = 5\n")
    loaded(places)
    program = f"""
import sys, time
sys.path[:0] = {[path for path in sys.path if path]!r}
from sonata.config.load import load_config
from sonata.config.values import Places
where = Places(uid={places.uid}, home={places.home!r}, user={places.user!r}, etc={places.etc!r}, usr={places.usr!r},
               cache={places.cache!r}, runtime_dir="/run")
took = []
for _ in range(20):
    before = time.perf_counter()
    config = load_config({{}}, {places.uid}, {{}}, where)
    took.append(time.perf_counter() - before)
assert config.engine.retry == 5
heavy = {{"tomllib", "typing", "dataclasses", "pathlib", "ipaddress", "sonata.config.settings", "sonata.config.parse"}}
print(*sorted(heavy & set(sys.modules)), min(took) * 1000)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    *heavy, took = done.stdout.split()
    assert heavy == []
    assert float(took) < 1.0, "milliseconds"


def test_the_manual_page_is_current() -> None:
    tool = Path(__file__).parents[2] / "tools/make_conf_page.py"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, check=False, env=environ)
    assert done.stderr == ""
    assert done.returncode == 0
