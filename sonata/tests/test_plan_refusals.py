"""What makes no sense is refused, in the words that Podman 5.8 uses (each was tried there)."""

import pytest

from sonata.model.container import Device
from sonata.model.defaults import Defaults
from sonata.model.materials import ImageFacts, Materials
from sonata.model.request import RunRequest
from sonata.plan.container import plan_container
from sonata.plan.network import NO_POD
from sonata_core.errors import UsageError
from sonata_core.models.host import HostFacts

FACTS = HostFacts(uid=0, gid=0, rootless=False, kernel="6", machine="x86_64", boot_id="b", cgroup_version=1)
NULL = Device(source="/dev/null", path="/dev/null", major=1, minor=3)
SLOTS = "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument"
START = "running container create option: "

_NAMESPACES = ("userns", "pid", "ipc", "uts", "cgroupns")

TABLE = [
    ({"publish": ("abc",)}, 'parsing container port: invalid port number: strconv.Atoi: parsing "abc": invalid syntax'),
    (
        {"publish": ("80-70",)},
        "parsing container port: the end port of a range must be higher than the start port - 70 is not higher than 80",
    ),
    ({"publish": ("1-3:4-5",)}, "host and container port ranges have different lengths: 3 vs 2"),
    (
        {"publish": ("80:70000",)},
        "parsing container port: port numbers must be between 1 and 65535 (inclusive), got 70000",
    ),
    ({"publish": ("1.2.3:80:80",)}, 'cannot parse "1.2.3" as an IP address'),
    ({"publish": ("80/xyz",)}, 'unrecognized protocol "xyz" in port mapping'),
    ({"publish": ("80:80/tcp/udp",)}, "invalid port format - protocol can only be specified once"),
    ({"publish": ("8080:",)}, "must provide a non-empty container port to publish"),
    ({"publish": (":80:",)}, "must provide a non-empty container port to publish"),
    ({"publish": ("a:80",)}, 'parsing host port: invalid port number: strconv.Atoi: parsing "a": invalid syntax'),
    ({"publish": ("80:80", "80:81")}, "conflicting port mappings for host port 80 (protocol tcp)"),
    ({"expose": ("foo",)}, 'invalid range format for --expose: foo: strconv.ParseUint: parsing "foo": invalid syntax'),
    ({"memory": "64x"}, "invalid value for memory: invalid suffix: 'x'"),
    ({"memory_swap": "10m"}, "you should always set a memory limit when using a memoryswap limit, see usage"),
    (
        {"memory": "64m", "memory_swap": "32m"},
        "minimum memoryswap limit should be larger than memory limit, see usage",
    ),
    ({"cpus": 1.0, "cpu_quota": 3}, "--cpu-quota and --cpus cannot be set together"),
    (
        {"ulimit": ("nofile",)},
        'ulimit option "nofile" requires name=SOFT:HARD, failed to be parsed: invalid ulimit argument: nofile',
    ),
    (
        {"ulimit": ("foo=1",)},
        'ulimit option "foo=1" requires name=SOFT:HARD, failed to be parsed: invalid ulimit type: foo',
    ),
    (
        {"ulimit": ("nofile=5:3",)},
        'ulimit option "nofile=5:3" requires name=SOFT:HARD, failed to be parsed: '
        "ulimit soft limit must be less than or equal to hard limit: 5 > 3",
    ),
    (
        {"ulimit": ("nofile=a",)},
        'ulimit option "nofile=a" requires name=SOFT:HARD, failed to be parsed: '
        'strconv.ParseInt: parsing "a": invalid syntax',
    ),
    ({"volume": ("rel/../x:/y",)}, f'creating named volume "rel/../x": running volume create option: {SLOTS}'),
    ({"volume": ("/a:b",)}, 'invalid container path "b", must be an absolute path'),
    ({"volume": ("/a:/b:foo",)}, 'invalid option type "foo"'),
    ({"volume": ("/a:/b:ro,rw",)}, "invalid options \"ro, rw\", can only specify 1 'rw' or 'ro' option"),
    ({"volume": ("a:b:c:d",)}, "a:b:c:d: incorrect volume format, should be [host-dir:]ctr-dir[:option]"),
    ({"volume": ("/tmp:/b:z,Z",)}, "invalid options \"z, Z\", can only specify 1 'z', 'Z', or 'O' option"),
    ({"volume": (":/x",)}, "host directory cannot be empty"),
    ({"volume": ("/tmp:/b", "/etc:/b")}, "/b: duplicate mount destination"),
    ({"mount": ("type=foo,dst=/a",)}, 'invalid filesystem type "foo"'),
    ({"mount": ("type=bind,src=/tmp",)}, "must set volume destination"),
    ({"mount": ("type=tmpfs,dst=/a,src=/b",)}, '"src" option not supported for "tmpfs" mount types'),
    ({"mount": ("type=bind,src=/tmp,dst=/a,foo=1",)}, "foo: invalid mount option"),
    ({"mount": ("bind,src=/tmp",)}, "bind: invalid mount option"),
    ({"tmpfs": ("/a:foo",)}, 'unknown mount option "foo": invalid mount option'),
    ({"tmpfs": ("a",)}, 'invalid container path "a", must be an absolute path'),
    ({"cap_add": ("FOO",)}, '"CAP_FOO": unknown capability'),
    ({"cap_add": ("all",), "cap_drop": ("all",)}, "adding all caps and removing all caps not allowed"),
    ({"cap_add": ("CHOWN",), "cap_drop": ("CHOWN",)}, 'capability "CAP_CHOWN" cannot be dropped and added'),
    ({"security_opt": ("foo",)}, 'invalid --security-opt 1: "foo"'),
    ({"security_opt": ("foo=bar",)}, 'invalid --security-opt 2: "foo=bar"'),
    (
        {"network": ("host", "bridge")},
        "cannot set multiple networks without bridge network mode, selected mode host: invalid argument",
    ),
    (
        {"network": ("n1", "host")},
        "can only set extra network names, selected mode host conflicts with bridge: invalid argument",
    ),
    (
        {"network": ("n1", "default")},
        "can only set extra network names, selected mode default conflicts with bridge: invalid argument",
    ),
    (
        {"network": ("default", "n1")},
        "cannot set multiple networks without bridge network mode, selected mode private: invalid argument",
    ),
    ({"publish": ("80:80:80:80",)}, "invalid port format - format is [[hostIP:]hostPort:]containerPort"),
    (
        {"publish": ("[::1]:80:80:80",)},
        "invalid port format - when v6 address specified, must be [ipv6]:hostPort:ctrPort",
    ),
    ({"network": ("bridge:ip=1.2.3",)}, 'invalid ip address "1.2.3"'),
    ({"network": ("n1:ip=foo",)}, 'invalid option for network n1: invalid ip address "foo"'),
    ({"network": ("n1:mac=foo",)}, "invalid option for network n1: address foo: invalid MAC address"),
    ({"network": ("n1:alias=",)}, "invalid option for network n1: alias cannot be empty"),
    ({"network": (":",)}, "network name cannot be empty"),
    (
        {"network": ("n1", "host")},
        "can only set extra network names, selected mode host conflicts with bridge: invalid argument",
    ),
    (
        {"network": ("n1:interface_name=x", "n2:interface_name=x")},
        'network interface name "x" is already assigned to another network',
    ),
    ({"network": ("n1:interface_name=",)}, "invalid option for network n1: interface_name cannot be empty"),
    ({"ip": "1.2.3"}, '"1.2.3" is not an ip address'),
    (
        {"ip": "10.88.0.9", "network": ("none",)},
        "--ip can only be set when the network mode is bridge: invalid argument",
    ),
    ({"mac_address": "foo"}, "address foo: invalid MAC address"),
    ({"restart": "foo"}, f'{START}"foo" is not a valid restart policy: invalid argument'),
    ({"restart": "always:3"}, "restart policy retries can only be specified with on-failure restart policy"),
    (
        {"restart": "on-failure:x"},
        'parsing restart policy retry count: strconv.Atoi: parsing "x": invalid syntax',
    ),
    (
        {"restart": "always", "rm": True},
        'the --rm option conflicts with --restart, when the restartPolicy is not "" and "no"',
    ),
    ({"stop_signal": "FOO"}, "invalid signal: FOO"),
    *(({which: "foo"}, "unrecognized namespace mode foo passed") for which in _NAMESPACES),
    ({"sysctl": ("foo",)}, "foo is invalid, sysctl values must be in the form of KEY=VALUE"),
    ({"sysctl": ("kernel.foo=1",)}, "sysctl 'kernel.foo' is not allowed"),
    (
        {"sysctl": ("net.ipv4.x=1",), "network": ("host",)},
        "sysctl net.ipv4.x=1 can't be set since Network Namespace set to host: invalid argument",
    ),
    ({"device": ("/nosuch",)}, "stat /nosuch: no such file or directory"),
    ({"device": ("/dev/null:rwx",)}, 'invalid device mode "rwx" in device "/dev/null:rwx"'),
    (
        {"device_cgroup_rule": ("foo",)},
        'invalid device cgroup rule requires type, major:Minor, and access rules: "foo"',
    ),
    ({"log_opt": ("foo",)}, 'invalid log option "foo"'),
    ({"log_driver": "foo"}, f"{START}invalid log driver: invalid argument"),
    ({"log_opt": ("max-size=foo",)}, "invalid size: 'foo'"),
    ({"umask": "99"}, f"{START}invalid umask string 99: invalid argument"),
    ({"init": True, "pid": "host"}, "cannot add init binary as PID 1 (PID namespace isn't private)"),
    ({"ipc": "pod"}, NO_POD),
    ({"cgroup_parent": "a.slice"}, "systemd slice received as cgroup parent when using cgroupfs: invalid argument"),
    (
        {"cgroups": "disabled", "cgroup_parent": "a"},
        "cannot set cgroup parent if not creating cgroups: invalid argument",
    ),
    (
        {"dns": ("none",), "dns_search": ("a",)},
        "invalid config provided: UseImageResolvConf and DNSSearch are mutually exclusive options",
    ),
    ({"dns_search": (".", "a")}, "cannot pass additional search domains when also specifying '.'"),
    ({"add_host": ("foo",)}, 'bad format for add-host: "foo"'),
    ({"add_host": ("foo:1.2.3",)}, 'invalid IP address in add-host: "1.2.3"'),
    ({"dns": ("foo",)}, "foo is not an ip address"),
    ({"dns": ("none", "1.1.1.1")}, "none is not allowed to be specified with other DNS ip addresses"),
    ({"label": ("=x",)}, 'unable to process labels: invalid label format: "=x"'),
    ({"env": ("=x",)}, 'invalid variable: "=x"'),
    ({"health_interval": "foo", "health_cmd": "x"}, 'invalid healthcheck-interval: time: invalid duration "foo"'),
    ({"health_cmd": "x", "health_timeout": "0s"}, "healthcheck-timeout must be at least 1 second"),
    ({"shm_size": "1x"}, "unable to translate --shm-size: invalid suffix: 'x'"),
    (
        {"shm_size": "1m", "ipc": "host"},
        "invalid config provided: cannot set shmsize when running in the {host } IPC Namespace",
    ),
    (
        {"hostname": "x", "uts": "host"},
        "invalid config provided: cannot set hostname when running in the host UTS namespace: invalid configuration",
    ),
    ({"cgroups": "foo"}, f'{START}invalid cgroup mode "foo": invalid argument'),
    (
        {"systemd": "foo"},
        'invalid config provided: --systemd values must be one of "true, false, always": invalid configuration',
    ),
    ({"image_volume": "foo"}, 'invalid image volume mode "foo" required value: anonymous, tmpfs, ignore'),
]


@pytest.mark.parametrize(("options", "text"), TABLE, ids=[str(options) for options, _ in TABLE])
def test_refusal(options, text):
    materials = Materials(id="a" * 64, name="x", created="", devices={"/dev/null": (NULL,)})
    request = RunRequest(image="i", command=("true",), **options)
    with pytest.raises(UsageError) as caught:
        plan_container(request, ImageFacts(), materials, FACTS, Defaults())
    assert caught.value.message == text


def test_bad_name():
    materials = Materials(id="a" * 64, name="bad/name", created="")
    with pytest.raises(UsageError, match="running container create option: names must match"):
        plan_container(RunRequest(image="i"), ImageFacts(), materials, FACTS, Defaults())
