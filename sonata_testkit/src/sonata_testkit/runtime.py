"""The suite of the runtime group. Contract: docs/contract/runtime.md."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any

import pytest

from sonata_core.errors import Conflict, HostLacks, NotFound, SonataError
from sonata_core.groups import RUNTIME
from sonata_core.hookspecs.runtime import RuntimePause, RuntimeTune, RuntimeUpdate
from sonata_core.models.ids import ContainerId
from sonata_core.models.runtime import ContainerRef, FailureKind, LaunchVerb, RuntimeFacts
from sonata_testkit.clauses import clause, not_offered, not_run
from sonata_testkit.containers import (
    CGROUP,
    KILL,
    TERM,
    USR1,
    Container,
    Refused,
    Subreaper,
    cgroups,
    eventually,
    is_alive,
    reap,
)
from sonata_testkit.plugin import PluginConformance
from sonata_testkit.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sonata_core.slot import Slot
    from sonata_testkit.fixtures import Runner

needs_root = pytest.mark.needs_root
_SLEEP = ["/bin/sleep", "1000"]
_TRAP = ["/bin/sh", "-c", "trap 'echo got; exit 7' USR1; echo ready; while :; do sleep 0.02; done"]
_CHILDREN = ["/bin/sh", "-c", "trap : TERM; sleep 1000 & sleep 1000 & echo ready; while :; do sleep 0.05; done"]
_SECCOMP = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
    "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}],
}


class RuntimeConformance(PluginConformance):
    """Inherit, and give `backend(self, plugin_context)`. Containers are real: a busybox, namespaces, control groups."""

    group = RUNTIME

    @pytest.fixture
    def facts(self, hook: Any) -> RuntimeFacts:
        try:
            found: RuntimeFacts = hook.runtime_facts()
        except HostLacks as error:
            not_run(error.message)
        return found

    @pytest.fixture
    def make(self, hook: Any, facts: RuntimeFacts, tmp_path: Path) -> Iterator[Callable[..., Container]]:
        """Makes containers, and takes them away at the end."""
        made: list[Container] = []

        def new(args: list[str], **process: Any) -> Container:
            made.append(Container(hook, tmp_path, args, **process))
            return made[-1]

        with Subreaper():
            yield new
            for container in made:
                container.end()
                eventually(lambda: not is_alive(container.pid))  # noqa: B023 - called at once
                reap()
        for group in (*(container.group for container in made), CGROUP):
            for folder in cgroups(group):
                try:
                    os.rmdir(folder)
                except OSError:
                    continue  # another test's containers are in it

    @needs_root
    @clause("R-01")
    def test_created_with_a_live_pid(self, make: Callable[..., Container]) -> None:
        container = make(_SLEEP)
        assert container.state() == ("absent", 0)
        pid = container.create()
        assert container.state() == ("created", pid)
        assert is_alive(pid)
        container.start()
        assert container.state() == ("running", pid)
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            assert eventually(lambda: b"sleep" in (file.seek(0), file.read())[1])

    @needs_root
    @clause("R-01")
    def test_the_command_does_not_run_before_start(self, make: Callable[..., Container]) -> None:
        container = make(["/bin/touch", "/ran"])
        container.create()
        assert not (container.bundle / "rootfs/ran").exists()
        container.start()
        assert container.wait() == 0
        assert (container.bundle / "rootfs/ran").exists()

    @needs_root
    @clause("R-02")
    @pytest.mark.parametrize(
        ("args", "code"), [(["/bin/sh", "-c", "exit 42"], 42), (["/bin/sh", "-c", "kill -9 $$"], 0)]
    )
    def test_the_exit_code_arrives(self, make: Callable[..., Container], args: list[str], code: int) -> None:
        container = make(args)
        container.create()
        container.start()
        assert container.wait() == code
        assert container.state()[0] == "stopped"
        assert container.state()[1] == 0, "a stopped container has no process"

    @needs_root
    @clause("R-02")
    def test_start_twice_and_of_what_is_absent(self, make: Callable[..., Container]) -> None:
        container = make(_SLEEP)
        with pytest.raises(SonataError):
            container.start()
        container.create()
        container.start()
        with pytest.raises(Conflict):
            container.start()
        assert container.state()[0] == "running"

    @needs_root
    @clause("R-03")
    def test_delete_of_absent(self, hook: Any, facts: RuntimeFacts, tmp_path: Path) -> None:
        ref = ContainerRef(id=ContainerId("0" * 64), bundle=str(tmp_path), run_dir=str(tmp_path))
        for force in (False, True):
            hook.runtime_delete(ref=ref, force=force)

    @needs_root
    @clause("R-03")
    def test_delete_twice(self, make: Callable[..., Container]) -> None:
        container = make(["/bin/true"])
        container.create()
        container.start()
        container.wait()
        for force in (False, False, True):
            container.hook.runtime_delete(ref=container.ref, force=force)
            assert container.state() == ("absent", 0)
        assert cgroups(container.group) == [], "the control group is left"

    @needs_root
    @clause("R-04")
    def test_delete_of_running_needs_force(self, make: Callable[..., Container]) -> None:
        container = make(_SLEEP)
        container.create()
        for wanted in ("created", "running"):
            with pytest.raises(Conflict):
                container.hook.runtime_delete(ref=container.ref, force=False)
            assert container.state()[0] == wanted
            assert is_alive(container.pid)
            if wanted == "created":
                container.start()
        container.hook.runtime_delete(ref=container.ref, force=True)
        assert container.wait() == -KILL
        assert container.state()[0] == "absent"

    @needs_root
    @clause("R-05")
    def test_a_command_that_is_not_there(self, make: Callable[..., Container]) -> None:
        container = make(["/bin/nothing-of-that-name"])
        assert self._why(container, container.create) is FailureKind.NOT_FOUND

    @needs_root
    @clause("R-05")
    def test_a_command_that_may_not_be_run(self, make: Callable[..., Container]) -> None:
        container = make(["/etc/plain"])
        (container.bundle / "rootfs/etc/plain").write_text("x")
        assert self._why(container, container.create) is FailureKind.DENIED

    @needs_root
    @clause("R-05")
    def test_another_failure(self, make: Callable[..., Container]) -> None:
        container = make(["/bin/true"])
        container.spec["mounts"].append({"destination": "/x", "type": "no-such-fs", "source": "none"})
        assert self._why(container, container.create) is FailureKind.OTHER

    @needs_root
    @clause("R-05")
    def test_exec_of_a_command_that_is_not_there(self, make: Callable[..., Container], tmp_path: Path) -> None:
        container = make(_SLEEP)
        container.create()
        container.start()
        document = {"args": ["/bin/nothing-of-that-name"]}
        kind = self._why(container, lambda: container.exec(document, tmp_path / "exec"), LaunchVerb.EXEC)
        assert kind is FailureKind.NOT_FOUND
        assert container.state()[0] == "running"

    @clause("R-05")
    def test_explaining_is_pure_and_never_empty(self, hook: Any) -> None:
        for lines, message in (((), ""), (("no json", '{"level":"error"}', "[]"), "x"), ((), "exit status 1")):
            found = hook.runtime_explain(verb=LaunchVerb.CREATE, log_lines=lines, message=message)
            assert found.kind in FailureKind
            assert found.text
            assert found == hook.runtime_explain(verb=LaunchVerb.CREATE, log_lines=lines, message=message)

    def _why(
        self, container: Container, work: Callable[[], object], verb: LaunchVerb = LaunchVerb.CREATE
    ) -> FailureKind:
        """Why the runtime refused, as the plugin understands it: from create, or for late ones from start."""
        with pytest.raises((Refused, SonataError)) as caught:
            work()
            container.start()
        if not isinstance(caught.value, Refused):
            from sonata_core.errors import CommandNotExecutable, CommandNotFound

            kinds = ((CommandNotFound, FailureKind.NOT_FOUND), (CommandNotExecutable, FailureKind.DENIED))
            return next((kind for cls, kind in kinds if isinstance(caught.value, cls)), FailureKind.OTHER)
        failure = container.hook.runtime_explain(verb=verb, log_lines=caught.value.lines, message=caught.value.message)
        assert failure.text
        kind: FailureKind = failure.kind
        return kind

    @needs_root
    @clause("R-06")
    def test_kill_of_exited(self, make: Callable[..., Container]) -> None:
        container = make(["/bin/true"])
        container.create()
        container.start()
        container.wait()
        with pytest.raises(Conflict):
            container.hook.runtime_kill(ref=container.ref, signal=TERM, everyone=False)
        try:  # others may have outlived the init, where it had no pid namespace of its own
            container.hook.runtime_kill(ref=container.ref, signal=TERM, everyone=True)
        except Conflict:
            pass
        assert container.state()[0] == "stopped"

    @needs_root
    @clause("R-06")
    def test_kill_of_absent(self, make: Callable[..., Container]) -> None:
        container = make(_SLEEP)
        with pytest.raises((NotFound, Conflict)):
            container.hook.runtime_kill(ref=container.ref, signal=KILL, everyone=False)

    @needs_root
    @clause("R-07")
    def test_a_signal_reaches_the_init(self, make: Callable[..., Container]) -> None:
        container = make(_TRAP)
        container.create()
        container.start()
        container.output("ready")
        container.hook.runtime_kill(ref=container.ref, signal=USR1, everyone=False)
        assert container.wait() == 7
        assert "got" in container.output("got")

    @needs_root
    @clause("R-07")
    @pytest.mark.parametrize("everyone", [False, True])
    def test_a_signal_reaches_init_only_or_everyone(self, make: Callable[..., Container], everyone: bool) -> None:
        container = make(_CHILDREN)
        container.create()
        container.start()
        container.output("ready")
        assert eventually(lambda: len(self._sleepers(container)) == 2)
        container.hook.runtime_kill(ref=container.ref, signal=TERM, everyone=everyone)
        assert eventually(lambda: not self._sleepers(container), 2.0 if everyone else 0.3) is everyone
        assert is_alive(container.pid), "the init ignores this signal"

    def _sleepers(self, container: Container) -> list[int]:
        found = []
        for pid in container.processes():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if b"1000" in file.read().split(b"\0") and is_alive(pid):
                        found.append(pid)
            except OSError:
                continue
        return found

    @needs_root
    @clause("R-08")
    def test_exec_gets_what_it_is_given_and_no_more(
        self, make: Callable[..., Container], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("KIT_SECRET", "leak")
        container = make(_SLEEP)
        container.create()
        container.start()
        readable, writable = os.pipe()
        pipe = os.readlink(f"/proc/self/fd/{writable}")
        out = tmp_path / "exec"
        script = "echo env:; env; echo fds:; for f in /proc/self/fd/*; do readlink $f; done; id -u; id -g; exit 5"
        document = {"args": ["/bin/sh", "-c", script], "env": ["PATH=/bin", "GIVEN=1"], "user": {"uid": 7, "gid": 8}}
        try:
            pid = container.exec(document, out)
            assert container.wait(pid) == 5
        finally:
            os.close(readable)
            os.close(writable)
        text = out.read_text()
        assert "GIVEN=1" in text
        assert "KIT_SECRET" not in text
        assert pipe not in text
        assert "\n7\n8\n" in text
        assert str(container.folder / "log") not in text, "the runtime's log is open in the container"

    @needs_root
    @clause("R-08")
    def test_create_inherits_no_environment(
        self, make: Callable[..., Container], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("KIT_SECRET", "leak")
        container = make(["/bin/env"])
        container.create()
        container.start()
        container.wait()
        text = container.output("PATH=")
        assert "KIT_SECRET" not in text
        launch = container.hook.runtime_launch(request=container.request())
        assert "KIT_SECRET" not in launch.env

    @needs_root
    @clause("R-08")
    def test_preserved_descriptors_arrive(self, make: Callable[..., Container], tmp_path: Path) -> None:
        container = make(_SLEEP)
        container.create()
        container.start()
        out = tmp_path / "exec"
        passed = tmp_path / "passed"
        passed.write_text("through descriptor 3")
        document = {"args": ["/bin/sh", "-c", "cat <&3"]}
        pid = container.exec(document, out, third=passed, preserve_fds=1)
        assert container.wait(pid) == 0
        assert out.read_text() == "through descriptor 3"

    @needs_root
    @clause("R-09")
    def test_nothing_is_printed_to_our_terminal(
        self, make: Callable[..., Container], capfd: pytest.CaptureFixture[str]
    ) -> None:
        container = make(["/bin/echo", "from inside"])
        container.create()
        container.start()
        container.wait()
        assert container.output("inside") == "from inside\n"
        with pytest.raises(Conflict):
            container.hook.runtime_kill(ref=container.ref, signal=TERM, everyone=False)
        container.hook.runtime_delete(ref=container.ref, force=False)
        said = capfd.readouterr()
        assert (said.out, said.err) == ("", "")

    @needs_root
    @clause("R-10")
    def test_facts(self, facts: RuntimeFacts, hook: Any) -> None:
        assert os.access(facts.program, os.X_OK)
        assert facts.version
        assert facts.version in facts.version_text
        assert set(facts.cgroup_versions) <= {1, 2}
        assert hook.runtime_facts() == facts

    @clause("R-10")
    def test_what_the_launch_says(self, hook: Any, tmp_path: Path) -> None:
        container = Container(hook, tmp_path, _SLEEP)
        launch = hook.runtime_launch(request=container.request())
        assert os.path.isabs(launch.program)
        assert str(container.log) in " ".join(launch.global_args), "the log's path is not passed on"
        assert launch == hook.runtime_launch(request=container.request()), "describing is pure"
        with_flag = hook.runtime_launch(request=container.request(flags=("debug",)))
        assert "--debug" in with_flag.global_args

    @needs_root
    @clause("R-11")
    def test_tuning_changes_nothing_but_annotations(
        self, slot: Slot[Any], make: Callable[..., Container], tmp_path: Path
    ) -> None:
        if not slot.offers(RuntimeTune):
            not_offered("RuntimeTune")
        for round_number in range(2):  # the second one finds what the first one learnt
            container = make(["/bin/cat", "/proc/self/status"])
            container.spec["linux"]["seccomp"] = copy.deepcopy(_SECCOMP)
            before = copy.deepcopy(container.spec)
            adjustment = slot.hook.runtime_adjust(spec=container.spec)
            assert container.spec == before, "the spec was changed in place"
            if adjustment is not None:
                assert adjustment == adjustment.__class__(origin=adjustment.origin, annotations=adjustment.annotations)
                container.spec.setdefault("annotations", {}).update(adjustment.annotations)
            container.create()
            slot.hook.runtime_created(ref=container.ref, spec=before)
            container.start()
            assert container.wait() == 0, f"round {round_number}: the tuned spec does not run"
            assert "Seccomp:\t2" in container.output("Seccomp:"), "the tuned container runs without its filter"

    @needs_root
    @clause("R-11")
    def test_learning_never_raises(self, slot: Slot[Any], make: Callable[..., Container]) -> None:
        if not slot.offers(RuntimeTune):
            not_offered("RuntimeTune")
        container = make(_SLEEP)
        slot.hook.runtime_created(ref=container.ref, spec={})
        slot.hook.runtime_created(ref=container.ref, spec=container.spec)
        assert slot.hook.runtime_adjust(spec={}) is None

    @needs_root
    @clause("R-12")
    def test_pause_and_resume(self, slot: Slot[Any], make: Callable[..., Container]) -> None:
        if not slot.offers(RuntimePause):
            not_offered("RuntimePause")
        container = make(["/bin/sh", "-c", "while :; do echo x; sleep 0.02; done"])
        with pytest.raises(SonataError):
            slot.hook.runtime_pause(ref=container.ref)
        container.create()
        container.start()
        container.output("x")
        with pytest.raises(Conflict):
            slot.hook.runtime_resume(ref=container.ref)
        slot.hook.runtime_pause(ref=container.ref)
        assert container.state()[0] == "paused"
        with pytest.raises(Conflict):
            slot.hook.runtime_pause(ref=container.ref)
        size = container.out.stat().st_size
        assert not eventually(lambda: container.out.stat().st_size > size, 0.3), "a paused container goes on"
        slot.hook.runtime_resume(ref=container.ref)
        assert eventually(lambda: container.out.stat().st_size > size)
        assert container.state()[0] == "running"

    @needs_root
    @clause("R-13")
    def test_update(self, slot: Slot[Any], make: Callable[..., Container]) -> None:
        if not slot.offers(RuntimeUpdate):
            not_offered("RuntimeUpdate")
        container = make(_SLEEP)
        container.create()
        container.start()
        files = [f"{folder}/pids.max" for folder in cgroups(container.group)]
        limits = [file for file in files if os.path.exists(file)]
        if not limits:
            not_run("needs the pids controller")
        assert _text(limits[0]) == "100"
        slot.hook.runtime_update(ref=container.ref, resources={"pids": {"limit": 50}})
        assert _text(limits[0]) == "50"
        assert container.state()[0] == "running"

    @needs_root
    @clause("R-14")
    @pytest.mark.parametrize("after", [False, True])
    def test_teardown_of_what_was_attacked(
        self, make: Callable[..., Container], tmp_path: Path, runner: Runner, after: bool
    ) -> None:
        """Each program that start and delete run fails in turn; then all is taken away, twice."""
        self._run_to_end(make)
        world = World(str(tmp_path), (str(tmp_path / "run"),))
        for step in range(1, 10):
            container = make(_SLEEP)
            container.create()
            runner.attack(step, after=after)
            try:
                container.start()
                container.hook.runtime_kill(ref=container.ref, signal=KILL, everyone=True)
                container.hook.runtime_delete(ref=container.ref, force=True)
            except SonataError:
                assert runner.failed, "it raised though nothing failed"
            attacked = runner.failed
            runner.peace()
            for _ in range(2):
                container.hook.runtime_delete(ref=container.ref, force=True)
            assert eventually(lambda: not is_alive(container.pid))  # noqa: B023 - called at once
            reap()
            assert container.state() == ("absent", 0)
            assert cgroups(container.group) == []
            world.check()
            if not attacked:
                assert step > 1
                return

    @needs_root
    @clause("R-14")
    def test_teardown_of_a_half_made_one(self, make: Callable[..., Container], tmp_path: Path) -> None:
        """What a refused create left is taken away like anything else."""
        self._run_to_end(make)
        world = World(str(tmp_path), (str(tmp_path / "run"),))
        for hurt in ("mount", "command", "hook"):
            container = make(["/bin/true"])
            if hurt == "mount":
                container.spec["mounts"].append({"destination": "/x", "type": "no-such-fs", "source": "none"})
            elif hurt == "command":
                container.spec["process"]["args"] = ["/nothing"]
            else:
                container.spec["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}
            with pytest.raises((Refused, SonataError)):
                container.create()
                container.start()
            for _ in range(2):
                container.hook.runtime_delete(ref=container.ref, force=True)
            reap()
            assert container.state() == ("absent", 0)
            assert cgroups(container.group) == []
        world.check()

    def _run_to_end(self, make: Callable[..., Container]) -> None:
        """Once without trouble, so that what is made once and kept (a cache, a parent group) is there."""
        container = make(["/bin/true"])
        container.create()
        container.start()
        container.wait()
        container.end()
        assert CGROUP in container.group


def _text(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read().strip()
