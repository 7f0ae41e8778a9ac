"""Sets of options, by name, that several tests of the planner go through."""

CASES = {
    "plain": {},
    "env": {"env": ("A=b", "EMPTY=", "X=a=b")},
    "workdir": {"workdir": "/tmp"},
    "user root": {"user": "root"},
    "user number": {"user": "1000"},
    "user and group": {"user": "1000:1001"},
    "hostname": {"hostname": "here"},
    "uts host": {"uts": "host"},
    "cap add": {"cap_add": ("NET_ADMIN", "sys_time")},
    "cap drop all": {"cap_drop": ("all",), "cap_add": ("chown",)},
    "cap add for a user": {"cap_add": ("NET_RAW",), "user": "7"},
    "privileged": {"privileged": True},
    "no new privileges": {"security_opt": ("no-new-privileges",)},
    "seccomp unconfined": {"security_opt": ("seccomp=unconfined",)},
    "mask": {"security_opt": ("mask=/proc/one:/proc/two",)},
    "unmask all": {"security_opt": ("unmask=ALL",)},
    "unmask glob": {"security_opt": ("unmask=/proc/a*",)},
    "proc options": {"security_opt": ("proc-opts=hidepid=2",)},
    "read only": {"read_only": True},
    "read only without tmpfs": {"read_only": True, "read_only_tmpfs": False},
    "memory": {"memory": "64m", "memory_reservation": "32m"},
    "memory swap": {"memory": "64m", "memory_swap": "100m"},
    "swap without end": {"memory": "64m", "memory_swap": "-1"},
    "cpus": {"cpus": 1.5},
    "cpu shares": {"cpu_shares": 512, "cpu_period": 50000, "cpu_quota": 25000},
    "pids": {"pids_limit": 100},
    "pids without end": {"pids_limit": -1},
    "tmpfs": {"tmpfs": ("/t:size=1m,mode=700", "/u")},
    "bind": {"volume": ("/tmp:/v", "/etc:/w:ro")},
    "bind nonrecursive, slave": {"volume": ("/tmp:/v:bind,slave,nosuid",)},
    "mount bind": {"mount": ("type=bind,src=/etc,dst=/m,ro=true,bind-propagation=shared",)},
    "mount tmpfs": {"mount": ("type=tmpfs,dst=/m,tmpfs-size=1m,tmpfs-mode=1777",)},
    "bind over a default": {"volume": ("/tmp:/dev/shm", "/etc/hosts:/etc/hosts")},
    "ipc host": {"ipc": "host"},
    "ipc none": {"ipc": "none"},
    "pid host": {"pid": "host"},
    "cgroup namespace": {"cgroupns": "private"},
    "cgroups off": {"cgroups": "disabled"},
    "cgroup parent": {"cgroup_parent": "/here"},
    "network none": {"network": ("none",)},
    "network host": {"network": ("host",)},
    "sysctl": {"sysctl": ("net.ipv4.ip_forward=1", "kernel.msgmax=65536")},
    "init": {"init": True},
    "systemd": {"systemd": "always"},
    "terminal": {"tty": True, "interactive": True},
    "umask": {"umask": "0077"},
    "ulimit": {"ulimit": ("nofile=100:200", "core=0")},
    "stop": {"stop_signal": "INT", "stop_timeout": 3},
    "annotation": {"annotation": ("a.b=c",)},
    "entrypoint": {"entrypoint": "/bin/echo"},
    "entrypoint list": {"entrypoint": '["/bin/echo","a b"]'},
    "group": {"group_add": ("7", "root")},
    "device": {"device": ("/dev/null:/dev/other:rw",)},
    "device rule": {"device_cgroup_rule": ("c 42:* rmw",)},
    "no hosts": {"no_hosts": True},
    "no hostname": {"no_hostname": True},
    "dns": {"dns": ("1.1.1.1",)},
    "no dns": {"dns": ("none",)},
    "cpuset": {"cpuset_cpus": "0"},
    "unsetenv": {"unsetenv": ("PATH",)},
    "unsetenv all": {"unsetenv_all": True},
    "label and apparmor": {"security_opt": ("label=disable", "apparmor=unconfined")},
    "shared mount": {"volume": ("/mnt:/m:shared",)},
    "no pids limit": {"pids_limit": 0},
    "read only bind": {"read_only": True, "volume": ("/mnt:/var/tmp",)},
    "privileged without caps": {"privileged": True, "cap_drop": ("SYS_ADMIN",)},
    "privileged user": {"privileged": True, "user": "9"},
    "oom score": {"oom_score_adj": 100},
    "personality": {"personality": "LINUX32"},
    "keep groups": {"group_add": ("keep-groups",)},
    "rm and publish all": {"publish_all": True, "publish": ("18099:80",)},
}

MORE = {
    **{f"capability {name}": {"cap_add": (name,)} for name in ("SYS_ADMIN", "SYS_PTRACE", "BPF", "all")},
    **{f"without {name}": {"cap_drop": (name,)} for name in ("CHOWN", "SETUID", "mknod")},
    **{f"ulimit {text}": {"ulimit": (text,)} for text in ("nproc=5", "stack=-1", "memlock=1:-1", "host")},
    **{f"publish {text}": {"publish": (text,)} for text in ("80", "81:80/udp", "1-9:11-19")},
    **{f"restart {text}": {"restart": text} for text in ("always", "on-failure:3")},
    **{f"network {text}": {"network": (text,)} for text in ("bridge", "a:ip=10.1.1.1,alias=x", "pasta:-t,1", "ns:/n")},
    **{
        f"unmask {text}": {"security_opt": (f"unmask={text}",)} for text in ("/proc/acpi", "/sys/*", "/proc/a:/proc/fs")
    },
    **{f"signal {text}": {"stop_signal": text} for text in ("9", "SIGUSR1", "RTMIN+2")},
    **{f"systemd {text}": {"systemd": text} for text in ("true", "false")},
    **{f"umask {text}": {"umask": text} for text in ("0", "027", "0777")},
    **{f"userns {text}": {"userns": text} for text in ("host", "auto")},
    **{f"uidmap {text}": {"uidmap": (text,)} for text in ("0:100000:1000",)},
    **{
        f"volume {text}": {"volume": (text,)}
        for text in (
            "named:/n",
            "named:/n:ro",
            "named:/n:exec,suid,dev",
            "/only",
            "/s:/t:U",
            "/s:/t:z",
            "/s:/t:O",
            "/s:/t:idmap",
            "/s:/t:rbind,rprivate,rw",
            "/s:/dev",
            "/s:/proc",
            "/s:/sys",
            "/s:/etc/resolv.conf",
            "/s:/t:idmap=uids=0-1-2",
        )
    },
    **{
        f"mount {text}": {"mount": (text,)}
        for text in (
            "type=devpts,dst=/p",
            "type=ramfs,dst=/r",
            "type=image,src=i,dst=/i",
            "type=tmpfs,dst=/t,notmpcopyup",
            "type=bind,src=/s,dst=/t,idmap",
            "type=volume,src=v,dst=/t,subpath=a/b",
            "type=tmpfs,dst=/t,U",
            "type=bind,src=/s,dst=/t,relabel=private",
            "dst=/anonymous",
        )
    },
    **{
        f"tmpfs {text}": {"tmpfs": (text,)}
        for text in ("/run", "/t:ro", "/t:exec,dev,suid", "/t:notmpcopyup", "/t:mode=1777,size=64k,noatime")
    },
    "cpu real time": {"cpu_rt_period": 1000, "cpu_rt_runtime": 500},
    "out of memory": {"memory": "1g", "oom_kill_disable": True, "memory_swappiness": 10},
    "block device rates": {"device_read_bps": ("/dev/null:1mb",), "device_write_iops": ("/dev/null:7",)},
    "block weight": {"blkio_weight": "100"},
    "no cgroups but memory": {"cgroups": "disabled", "memory": "64m"},
    "ports and host": {"publish": ("80:80",), "network": ("host",)},
    "init for systemd": {"init": True, "systemd": "always"},
    "rdt class": {"rdt_class": "c"},
    "several devices": {"device": ("/dev/null", "/dev/null:/dev/n2:r", "vendor.com/class=x")},
    "http proxy": {"caller_env": {"http_proxy": "p", "HTTPS_PROXY": "q", "OTHER": "r"}},
    "env host": {"env_host": True, "caller_env": {"A": "1", "PATH": "/p"}, "env": ("A=2",)},
    "env glob": {"env": ("LC_*",), "caller_env": {"LC_ALL": "C", "LANG": "x"}},
    "terminal keeps TERM": {"tty": True, "env": ("TERM=dumb",)},
    "home given": {"env": ("HOME=/h",)},
    "hostname given twice": {"hostname": "h", "env": ("HOSTNAME=e",)},
    "secret": {"secret": ("s,type=env,target=T",)},
    "timeout": {"stop_timeout": 0},
    "timezone": {"tz": "Europe/Berlin"},
    "privileged, read only": {"privileged": True, "read_only": True},
    "privileged, own profile": {"privileged": True, "security_opt": ("seccomp=/p.json",)},
    "userns and host network": {"uidmap": ("0:1:1000",), "network": ("host",)},
    "userns and host pid": {"uidmap": ("0:1:1000",), "pid": "host", "ipc": "host"},
    "few ids": {"uidmap": ("0:1:2",)},
}
"""Beyond what Podman can be asked for in passing."""


def differences(left: object, right: object, where: str = "") -> list[str]:
    """Each place where the two differ, ours before theirs."""
    if isinstance(left, dict) and isinstance(right, dict):
        keys = sorted(left.keys() | right.keys())
        return [line for key in keys for line in differences(left.get(key), right.get(key), f"{where}.{key}")]
    if isinstance(left, list) and isinstance(right, list):
        if len(left) == len(right):
            pairs = enumerate(zip(left, right, strict=True))
            return [line for index, pair in pairs for line in differences(*pair, f"{where}[{index}]")]
        extra = [item for item in left if item not in right], [item for item in right if item not in left]
        return [f"{where}: only ours {extra[0]}, only theirs {extra[1]}"]
    return [] if left == right else [f"{where}: {left} != {right}"]
