"""Where an ordinary user's control groups go on a host with version 2 of them."""

from __future__ import annotations

import pytest

from sonata.model.container import ContainerConfig
from sonata.model.defaults import Defaults
from sonata.model.materials import ImageFacts, Materials
from sonata.model.pod import PodRequest
from sonata.model.request import RunRequest
from sonata.plan.container import plan_container
from sonata.plan.pod import plan_pod
from sonata.plan.spec.linux import cgroups_path
from sonata_core.models.host import HostFacts

HOST = HostFacts(
    uid=1000, gid=1000, rootless=True, kernel="6.1", machine="x86_64", boot_id="b", cgroup_version=2, capabilities=()
)
WARNING = "Resource limits are ignored: no control group is delegated to this user"


def materials(delegated: str) -> Materials:
    return Materials(id="a" * 64, name="x", created="t", cgroup_delegated=delegated)


def planned(delegated: str, manager: str = "cgroupfs", **options: object) -> ContainerConfig:
    request = RunRequest(image="i", **options)  # type: ignore[arg-type]
    return plan_container(request, ImageFacts(), materials(delegated), HOST, Defaults(cgroup_manager=manager))


@pytest.mark.parametrize(
    ("delegated", "options", "path"),
    [
        ("", {}, ""),
        ("/mine", {}, f"/mine/libpod_parent/libpod-{'a' * 64}"),
        ("/mine", {"cgroup_parent": "/mine/other"}, f"/mine/other/libpod-{'a' * 64}"),
        ("", {"cgroup_parent": "/given"}, f"/given/libpod-{'a' * 64}"),
        ("/mine", {"cgroups": "disabled"}, ""),
        ("/mine", {"manager": "systemd"}, f"user.slice:libpod:{'a' * 64}"),
        ("", {"manager": "systemd"}, f"user.slice:libpod:{'a' * 64}"),
    ],
)
def test_the_group_is_below_one_that_the_user_may_divide(delegated: str, options: dict[str, str], path: str) -> None:
    assert cgroups_path(planned(delegated, **options), HOST) == path


def test_limits_without_a_group_are_said_to_be_ignored() -> None:
    assert planned("").notices == ()
    assert planned("", pids_limit=5).notices == (WARNING,)
    assert planned("", memory="64m").resources == {}
    assert planned("/mine", memory="64m").notices == ()
    assert planned("/mine", memory="64m").resources["memory"]["limit"] == 64 << 20
    assert planned("", memory="64m", cgroup_parent="/given").resources["memory"]["limit"] == 64 << 20


def test_a_pod_has_a_group_where_its_containers_may() -> None:
    pod, notices = plan_pod(PodRequest(memory="64m"), materials("/mine"), HOST, Defaults(cgroup_manager="cgroupfs"))
    assert (pod.cgroup(), notices) == (f"/mine/libpod_parent/{'a' * 64}", [])
    pod, notices = plan_pod(PodRequest(memory="64m"), materials(""), HOST, Defaults(cgroup_manager="cgroupfs"))
    assert (pod.cgroup(), pod.resources, notices) == ("", {}, [WARNING])
