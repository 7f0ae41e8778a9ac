# ruff: noqa: E501  commands stand in one piece
"""Transcripts: commands, what they print and how they end, with what differs between runs taken out.

`python transcripts.py PODMAN [SESSION…]` records `cli/*.txt` anew from a Podman; the tests replay them with Sonata.
A transcript holds one session in a fresh store. `$ words` begins an entry, then come standard output,
`! lines` of standard error, and `= code`.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
APPLETS = ("sh", "true", "false", "cat", "echo", "sleep", "ls", "id", "env", "test")

SESSIONS = {
    "containers": """
ps
ps -a
create --name c1 --label a=b --label c --env X=1 localhost/box:1 sh -c 'echo out; echo err >&2; exit 3'
ps -a
ps -aq
ps -a --noheading
ps -a --format '{{.Names}} {{.State}} {{.Status}} {{.Command}} {{.Image}} {{.Labels}} {{.Mounts}}|{{.Networks}}|{{.Ports}}|{{.Restarts}}'
ps -a --format 'table {{.Names}} {{.Image}} {{.Size}}' --size
ps -a --format '{{.ID}}'
ps -a --filter name=c1 --format '{{.Names}}'
ps -a --filter name=nosuch --format '{{.Names}}'
ps -a --filter label=a --format '{{.Names}}'
ps -a --filter label=a=x --format '{{.Names}}'
ps -a --filter label!=a --format '{{.Names}}'
ps -a --filter status=created --format '{{.Names}}'
ps -a --filter status=foo
ps -a --filter foo=bar
ps -a --filter name
ps -l -n 1
ps -q -s
ps --ns -s
inspect c1 --format '{{.Name}} {{.State.Status}} {{.Config.Cmd}} {{.Config.Env}} {{.Path}} {{.Args}} {{.ImageName}}'
inspect c1 --format '{{json .Config.Labels}} {{.HostConfig.NetworkMode}} {{.HostConfig.Privileged}} {{.HostConfig.RestartPolicy.Name}}'
inspect c1 --format '{{.State.Foo}}'
inspect --type image c1
inspect c1 nosuch --format '{{.Name}}'
inspect nosuch
inspect --type nosuch c1
container exists c1
container exists nosuch
start -a c1
ps -a --format '{{.Names}} {{.ExitCode}} {{.Exited}}'
ps -a --filter exited=3 --format '{{.Names}}'
logs c1
logs --tail 0 c1
logs nosuch
wait c1
wait nosuch
port c1
port nosuch
top c1
top nosuch
exec c1 true
exec nosuch true
attach c1
rename c1 c2
rename nosuch c3
rename c2 'bad name'
kill c2
kill -s NOSUCH c2
stop c2
stop nosuch
stop --ignore nosuch
restart nosuch
rm nosuch
rm --ignore nosuch
rm -f nosuch
rm c2
run --rm --network none localhost/box:1 echo hello
run --rm --network none localhost/box:1 sh -c 'exit 7'
run --rm --network none localhost/box:1 nosuchcommand
run --rm --network none localhost/box:1 /etc
run --rm --network none --entrypoint echo localhost/box:1 a 'b c'
run --rm --network none -e A=1 -e B --env-file /nonexistent localhost/box:1 env
run --rm --network none --user nosuch localhost/box:1 id
run --rm --network none --workdir /nosuch localhost/box:1 true
run --rm --network none --pull never nosuchimage
run -d --network none --name r1 localhost/box:1 sleep 1000
run -d --network none --name r1 localhost/box:1 sleep 1000
ps --format '{{.Names}} {{.State}} {{.Pid}}'
ps
rm r1
exec r1 sh -c 'echo in; exit 5'
exec r1 nosuchcommand
exec r1 /etc
exec r1
exec -w /etc -e A=b r1 sh -c 'echo $PWD $A'
top r1 pid args
top r1 nosuch
container inspect r1 --format '{{.State.Running}} {{.State.ExitCode}}'
start r1

kill r1
wait r1
ps -a --format '{{.Names}} {{.State}} {{.ExitCode}}'
start r1
restart -t 0 r1
stop -t 0 r1
rm r1 nosuch
""",
    "lives": """
create --name s --network none localhost/box:1 sh -c 'trap "exit 4" TERM; trap "echo usr" USR1; echo one; echo two >&2; while true; do sleep 0.1; done'
start s
start s
ps -a --format '{{.Names}} {{.State}}'
container inspect s --format '{{.State.Status}} {{.State.Running}} {{.State.Paused}} {{.State.Restarting}} {{.State.OOMKilled}} {{.State.Dead}}'
inspect s --format '{{.HostConfig.NetworkMode}} {{.HostConfig.LogConfig.Type}} {{.Config.StopSignal}} {{.Config.StopTimeout}} {{.RestartCount}} {{.Driver}}'
inspect s --format '{{len .NetworkSettings.Networks}} {{.NetworkSettings.IPAddress}}'
logs s
logs --tail 1 s
logs --since 1h s
logs --until 1h s
logs --tail nosuch s
logs s nosuch
exec s sh -c 'kill -USR1 1; sleep 0.5'
logs s
exec -e A=1 -e B=2 s sh -c 'echo $A$B'
exec --env-file /nonexistent s true
exec -u 5:6 s id
exec -u nosuch s id
exec -w /nosuch s ls
exec -w tmp s true
exec --privileged s true
exec --detach-keys 'ctrl-]]' s true
exec s sh -c 'kill -9 $$'
exec -d s sleep 100
exec -l s true
kill --signal 0 s
kill -s USR1 s
kill -s 99 s
kill -s nosuch s
kill nosuch s
pause nosuch
stop -t 5 s
stop s
ps -a --format '{{.Names}} {{.State}} {{.ExitCode}}'
wait s
wait s s
wait --condition stopped s
wait --condition nosuch s
wait --interval nosuch s
kill s
exec s true
attach s
port s 80
rename s s2
rename s2 s2
rm s
start s2
restart -t 0 s2
stop -t 0 s2
rm -f s2 nosuch
run -d --network none --name o --rm localhost/box:1 sh -c 'exit 3'
run --network none --name e --restart on-failure:2 localhost/box:1 sh -c 'exit 2'
run --network none --name f --rm --restart always localhost/box:1 true
run --rm --network none --stop-signal NOSUCH localhost/box:1 true
run --rm --network none --init localhost/box:1 sh -c 'exit 5'
run --rm --network none --read-only localhost/box:1 sh -c 'echo x >/f'
run --rm --network none --tmpfs /scratch --read-only localhost/box:1 sh -c 'echo x >/scratch/f && cat /scratch/f'
run --rm --network none --hostname h.example localhost/box:1 cat /etc/hostname
run --rm --network none -w /tmp localhost/box:1 sh -c 'echo $PWD'
run --rm --network none -u 7:8 localhost/box:1 id
run --rm --network none --cap-drop all localhost/box:1 sh -c 'kill -0 1 && echo allowed'
run --rm --network none --cap-add nosuch localhost/box:1 true
run --rm --network none --security-opt nosuch localhost/box:1 true
run --rm --network none -v /nosuch/place:/x localhost/box:1 true
run --rm --network nosuch localhost/box:1 true
run --rm --network none --network host localhost/box:1 true
run --rm --network container:nosuch localhost/box:1 true
run --network none --name 'bad name' localhost/box:1 true
run --rm -it --network none localhost/box:1 true
run -d --rm --attach stdout --network none localhost/box:1 true
start -a nosuch
start -a -i --all
start
stop
stop --all --latest
rm
rm -a
ps -a --format '{{.Names}}'
container prune -f --filter nosuch=x
""",
    "images": """
images
images -q
images --noheading --no-trunc
images --digests
images --format '{{.Repository}} {{.Tag}} {{.ID}} {{.Size}} {{.Names}} {{.Containers}}'
images --format 'table {{.ID}} {{.Repository}}'
images nosuch
images --filter dangling=true
images --filter label=made --format '{{.Repository}}'
images --sort nosuch
images a b
image exists localhost/box:1
image exists nosuch
tag localhost/box:1 box:two other/thing
images --format '{{.Repository}}:{{.Tag}}'
tag nosuch x
tag localhost/box:1 'BAD NAME'
untag box:two
untag localhost/box:1 nosuch
images --format '{{.Repository}}:{{.Tag}}'
history localhost/box:1
history -q localhost/box:1
history --format '{{.CreatedBy}}|{{.Comment}}|{{.Size}}' localhost/box:1
history nosuch
image inspect localhost/box:1 --format '{{.Id}} {{.Os}} {{.Architecture}} {{.Config.Cmd}} {{.Config.Env}} {{.Size}} {{.RepoTags}}'
image inspect nosuch
inspect --type container localhost/box:1
rmi nosuch
rmi
rmi other/thing
create --name c localhost/box:1
rmi localhost/box:1
images --format '{{.Containers}}'
rm c
rmi localhost/box:1
images
""",
    "objects": """
network ls
network ls --noheading -q
network ls --format '{{.Name}} {{.Driver}} {{.DNSEnabled}} {{.Internal}}'
network exists podman
network exists nosuch
network create --subnet 10.197.5.0/24 --gateway 10.197.5.9 --label a=b n1
network create --subnet 10.197.5.0/24 n1
network create --ignore n1
network create --subnet 10.197.5.0/25 n2
network create --subnet nonsense n2
network ls --format '{{.Name}} {{.Labels}}'
network ls --filter name=n1 -q
network ls --filter label=a -q
network ls --filter nosuch=a
network inspect n1 --format '{{.Name}} {{.Driver}} {{.DNSEnabled}} {{.IPv6Enabled}}'
network inspect nosuch
network rm nosuch
network rm -f nosuch
network rm n1
network rm podman
volume ls
volume create v1
volume create v1
volume create --ignore v1
volume create --label a=b v2
volume create 'bad name'
volume ls
volume ls -q
volume ls --noheading
volume ls --format '{{.Name}} {{.Driver}} {{.Labels}}'
volume ls --filter name=v1 -q
volume ls --filter label=a -q
volume ls --filter dangling=true -q
volume exists v1
volume exists nosuch
volume inspect v1 --format '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}} {{.Options}}'
volume inspect nosuch
volume rm nosuch
volume rm -f nosuch
volume rm v1 v2
volume rm
""",
    "mounts": """
volume create v1
create --name m -v /tmp:/x -v /etc:/y:ro,z -v v1:/v:ro --tmpfs /t --tmpfs /t2:size=1m,ro --mount type=bind,src=/tmp,dst=/w,bind-propagation=shared --mount type=volume,src=v1,dst=/w2 localhost/box:1
inspect m --format '{{json .Mounts}}'
inspect m --format '{{json .HostConfig.Binds}}'
inspect m --format '{{json .HostConfig.Tmpfs}}'
ps -a --format '{{.Mounts}}'
ps -a --filter volume=v1 --format '{{.Names}}'
volume rm v1
volume inspect v1 --format '{{.MountCount}}'
rm m
create --name m -v relative:/x/../y localhost/box:1
inspect m --format '{{json .HostConfig.Binds}}'
create -v nope localhost/box:1
create -v /nosuchsource:/x localhost/box:1
create -v /tmp:/x:nonsense localhost/box:1
create -v /tmp:/x -v /etc:/x localhost/box:1
create --mount type=nonsense,dst=/x localhost/box:1
create --mount type=bind,src=/nosuch,dst=/x localhost/box:1
create --tmpfs x localhost/box:1
rm -v m
""",
    "ports": """
create --name p -p 18080:80 -p 127.0.0.1:19000-19002:9000-9002/udp -p 18443:443 --expose 5000 --expose 7000-7002/udp localhost/box:1
ps -a --format '{{.Ports}}'
port p
port p 80
port p 9001/udp
port p 81
port p nonsense
port p 80/nonsense
port -a
inspect p --format '{{json .HostConfig.PortBindings}}'
inspect p --format '{{json .NetworkSettings.Ports}}'
inspect p --format '{{json .Config.ExposedPorts}}'
create -p nonsense localhost/box:1
create -p 80:99999 localhost/box:1
create -p 1-3:1-2 localhost/box:1
create --expose x localhost/box:1
create --network none --name q -p 18081:80 localhost/box:1
create --ip 1.2.3.4 --network host localhost/box:1
create --hostname 'bad host' --name h localhost/box:1
create --network nosuch localhost/box:1
rm p
""",
    "limits": """
create --name l -m 64m --cpus 1.5 --pids-limit 50 --ulimit nofile=100:200 --cap-add NET_ADMIN --cap-drop KILL --security-opt no-new-privileges --restart on-failure:3 --stop-signal INT --stop-timeout 3 --read-only --init=false --hostname hh --user 1:2 --workdir /tmp --label x=y --annotation k=v --log-opt max-size=1m localhost/box:1
inspect l --format '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuQuota}} {{.HostConfig.CpuPeriod}} {{.HostConfig.PidsLimit}}'
inspect l --format '{{json .HostConfig.Ulimits}}'
inspect l --format '{{json .HostConfig.CapAdd}} {{json .HostConfig.CapDrop}} {{json .EffectiveCaps}} {{json .BoundingCaps}}'
inspect l --format '{{json .HostConfig.SecurityOpt}} {{json .HostConfig.RestartPolicy}} {{.Config.StopSignal}} {{.Config.StopTimeout}}'
inspect l --format '{{.HostConfig.ReadonlyRootfs}} {{.Config.Hostname}} {{.Config.User}} {{.Config.WorkingDir}} {{json .HostConfig.LogConfig.Type}} {{.HostConfig.LogConfig.Size}}'
inspect l --format '{{.HostConfig.IpcMode}} {{.HostConfig.PidMode}} {{.HostConfig.UTSMode}} {{.HostConfig.NetworkMode}} {{.HostConfig.ShmSize}} {{.HostConfig.Cgroups}}'
create -m x localhost/box:1
create -m 64m --memory-swap 1m localhost/box:1
create --cpus -1 localhost/box:1
create --ulimit nonsense localhost/box:1
create --cap-add NONSENSE localhost/box:1
create --security-opt nonsense localhost/box:1
create --restart nonsense localhost/box:1
create --restart always --rm localhost/box:1
create --stop-signal nonsense localhost/box:1
create --umask 9 localhost/box:1
create --env '' localhost/box:1
create --label '' localhost/box:1
create --name 'bad name' localhost/box:1
create --pid nonsense localhost/box:1
create --ipc nonsense localhost/box:1
create --uts nonsense localhost/box:1
create --cgroups nonsense localhost/box:1
create --log-driver nonsense localhost/box:1
create --log-opt nonsense localhost/box:1
create --sysctl nonsense localhost/box:1
create --device /nosuch localhost/box:1
create --env-file /nosuch localhost/box:1
create --cidfile /proc/nosuch localhost/box:1
create --init --init-path /nosuch localhost/box:1
create --image-volume nonsense localhost/box:1
create --platform nonsense --pull never localhost/box:1
create --add-host nonsense localhost/box:1
create --dns nonsense localhost/box:1
create --mac-address nonsense localhost/box:1
create --ip nonsense localhost/box:1
create --group-add nosuch --name g localhost/box:1
create --attach nonsense localhost/box:1
create --shm-size nonsense localhost/box:1
create --oom-score-adj 5000 --name o localhost/box:1
create --rootfs /nosuch
rm l
""",
    "usage": """
run
run --foo
run -x
run --name
run --cpus x localhost/box:1
run --memory-swappiness 1__0 localhost/box:1
run --stop-timeout -1 localhost/box:1
run --rm=maybe localhost/box:1
run -itx localhost/box:1
run --=x
run --publish nonsense localhost/box:1
run --pull=foo localhost/box:1
run -h
create
exec
start
stop
kill
rm
rm -a x
rm -a -l
rm --cidfile x y
stop -a x
stop --filter name=x y
start -a x y
start --all x
attach
attach a b
wait
logs
top
port
port a b c
rename a
container exists
container nosuch
image nosuch
network exists
network connect a
network create a b
volume create a b
volume inspect
volume rm -a x
rmi -a x
tag a
untag
history
inspect
pull
save
load x
version x
info x
system nosuch
nosuch
--foo ps
ps --bad
ps extra
ps --sort foo
ps --last x
ps --watch -1
ps --format
completion
completion nosuch
network create --gateway 1.2 x
network connect --ip 1.2 a b
""",
}


def make_archive(path: Path) -> None:
    """An image `localhost/box:1` as a docker-archive: busybox and a few links to it; always the same bytes."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in ("bin", "etc", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        program = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    diff = sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": "amd64",
        "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], "Labels": {"made": "here"}},
        "created": "2024-05-06T07:08:09Z",
        "history": [
            {"created": "2024-05-06T07:08:09Z", "created_by": "/bin/sh -c #(nop) ADD file", "comment": "hand-made"}
        ],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
    }
    text = json.dumps(config, sort_keys=True).encode()
    name = sha256(text).hexdigest()
    manifest = [{"Config": f"{name}.json", "RepoTags": ["localhost/box:1"], "Layers": [f"{diff}.tar"]}]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for file, content in (
            (f"{name}.json", text),
            (f"{diff}.tar", layer.getvalue()),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(file)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))


_REPLACED = (
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b[0-9a-f]{12}\b", "<id>"),
    (r"\b(Less than a second|About an? \w+|\d+ (?:second|minute|hour|day|week|month|year)s?)\b", "<time>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]* \+0000 UTC", "<moment>"),
    (r"[\d.]+ ?[kM]?B\b", "<size>"),
    (r"running [1-9]\d*", "running <pid>"),
    (r"\d+\.\d+s\b", "<time>"),
    (r"(?m) +$", ""),
    (r"  +", "  "),
    (r"--+", "--"),
)


def normalised(text: str) -> str:
    """What is different each time, or depends on it, replaced; the program's own name made one."""
    text = text.replace("podman ", "sonata ").replace("'podman", "'sonata").replace("Podman", "Sonata")
    for pattern, to in _REPLACED:
        text = re.sub(pattern, to, text)
    return text


def split(line: str) -> list[str]:
    """Words of a line, as a shell has them."""
    import shlex

    return shlex.split(line)


def entry(line: str, code: int, out: str, err: str) -> str:
    """One command of a transcript."""
    told = [part for part in err.splitlines() if not part.startswith(("time=", "Warning:", "  hint:", "WARN"))]
    complaint = "".join(f"! {part}\n" for part in normalised("\n".join(told)).splitlines())
    printed = normalised(out)
    return f"$ {line}\n{printed}{'' if not printed or printed.endswith(chr(10)) else chr(10)}{complaint}= {code}\n"


def play(program: list[str], session: str) -> list[str]:
    """Run a session's commands; one entry each."""
    entries = []
    for line in filter(None, SESSIONS[session].splitlines()):
        done = subprocess.run(
            [*program, *split(line)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        entries.append(entry(line, done.returncode, done.stdout, done.stderr))
    return entries


def record(program: list[str], sessions: list[str]) -> None:
    """Write `cli/*.txt` from what `program` does."""
    for session in sessions or SESSIONS:
        with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
            stores = ["--root", f"{folder}/root", "--runroot", f"{folder}/run"]
            make_archive(Path(folder) / "box.tar")
            subprocess.run(
                [*program, *stores, "load", "-q", "-i", f"{folder}/box.tar"], check=True, capture_output=True
            )
            (HERE / "cli" / f"{session}.txt").write_text("\n".join(play([*program, *stores], session)))
            subprocess.run([*program, *stores, "rm", "-fa", "-t0"], check=False, capture_output=True)
            subprocess.run(["umount", f"{folder}/root/overlay"], check=False, capture_output=True)


if __name__ == "__main__":
    record(sys.argv[1].split(), sys.argv[2:])
