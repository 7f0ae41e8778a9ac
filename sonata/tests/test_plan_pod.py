"""Pods as they are planned: what is shared, what a member's request becomes, which state a pod is in."""

from __future__ import annotations

from typing import Any

import pytest

from sonata.model.container import RestartPolicy
from sonata.model.pod import PodConfig, PodRequest
from sonata.model.request import RunRequest
from sonata.plan import pod as plan
from sonata_core.errors import UsageError


def made(**changes: Any) -> PodConfig:
    given = {"id": "ab" * 32, "name": "one", "created": "2026-01-02T03:04:05Z", "share": ("ipc", "net", "uts")}
    return PodConfig(**{**given, **changes})


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ((), "Created"),
        (("created",), "Created"),
        (("created", "initialized"), "Created"),
        (("running", "running"), "Running"),
        (("running", "created"), "Degraded"),
        (("running", "exited"), "Degraded"),
        (("running", "paused"), "Degraded"),
        (("paused", "paused"), "Paused"),
        (("exited", "stopped"), "Exited"),
        (("exited", "created"), "Stopped"),
        (("exited", "paused"), "Stopped"),
        (("removing", "created"), "Error"),
    ],
)
def test_the_state_of_a_pod(states: tuple[str, ...], status: str) -> None:
    assert plan.status(states) == status


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        (None, ("ipc", "net", "uts")),
        ("", ()),
        ("none", ()),
        ("net", ("net",)),
        ("+pid", ("ipc", "net", "pid", "uts")),
        ("uts,ipc,uts", ("ipc", "uts")),
    ],
)
def test_what_is_shared(text: str | None, shared: tuple[str, ...]) -> None:
    assert plan.shared(text) == shared


@pytest.mark.parametrize(
    ("manager", "parent", "group"),
    [
        ("cgroupfs", "", f"/libpod_parent/{'ab' * 32}"),
        ("cgroupfs", "/mine/", f"/mine/{'ab' * 32}"),
        ("systemd", "", f"machine-libpod_pod_{'ab' * 32}.slice"),
        ("systemd", "user.slice", f"user-libpod_pod_{'ab' * 32}.slice"),
    ],
)
def test_the_group_of_a_pod(manager: str, parent: str, group: str) -> None:
    assert made(cgroup_manager=manager, cgroup_parent=parent).cgroup() == group
    assert made(cgroup_manager=manager, cgroup_parent=parent, share_parent=False).cgroup() == ""


def test_a_member_without_an_infra_container_inherits_what_is_the_pods() -> None:
    pod = made(
        share=(), restart=RestartPolicy(name="on-failure", retries=3), device=("/dev/null",), security_opt=("x",)
    )
    member = plan.member_request(RunRequest(image="i", device=("/dev/zero",)), pod, None)
    assert (member.pod, member.restart) == (pod.id, "on-failure:3")
    assert (member.device, member.security_opt) == (("/dev/null", "/dev/zero"), ("x",))
    assert member.network is None
    own = plan.member_request(RunRequest(image="i", restart="no", security_opt=("y",)), pod, None)
    assert (own.restart, own.security_opt) == ("no", ("y",))
    # What ends with its work is not started again.
    assert plan.member_request(RunRequest(image="i", rm=True), pod, None).restart == ""
    assert plan.member_request(RunRequest(image="i", init_ctr="once"), pod, None).restart == ""


def test_a_new_pod_takes_what_members_cannot_have() -> None:
    request = RunRequest(image="i", publish=("80",), hostname="h", pid="host", cpus=0.5, env=("A=b",), memory="1g")
    pod, left = plan.new_pod(request, "fresh", PodRequest)
    assert (pod.name, pod.publish, pod.hostname, pod.cpus, pod.share) == ("fresh", ("80",), "h", 0.5, "+pid")
    assert (left.publish, left.hostname, left.pid, left.cpus) == ((), "", "", 0.0)
    assert (left.env, left.memory) == (("A=b",), "1g")
    with pytest.raises(UsageError, match="at least one character"):
        plan.new_pod(request, "", PodRequest)


def test_an_infra_container_is_of_no_image_unless_one_is_named() -> None:
    pod = made()
    own = plan.infra_request(PodRequest(memory="1g"), pod, "/run/empty")
    assert (own.image, own.rootfs, own.entrypoint, own.command) == ("/run/empty:O", True, "/catatonit", ("-P",))
    assert (own.name, own.hostname, own.memory, own.ipc) == (f"{'ab' * 6}-infra", "one", "", "shareable")
    imaged = plan.infra_request(PodRequest(infra_image="i", infra_command="/wait for ever"), pod, "/run/empty")
    assert (imaged.image, imaged.rootfs, imaged.entrypoint) == ("i", False, "/wait")
    assert imaged.command == ("for", "ever")
    plain = plan.infra_request(PodRequest(infra_image="i"), pod, "/run/empty")
    assert (plain.entrypoint, plain.command) == (None, None)
