"""The kit finds bugs: each is put into a copy of a bundled plugin, and the clause that it breaks must fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_root

HEAD = """
import json, os, random, shutil, subprocess
import pytest
from sonata_core.errors import *
from sonata_core.markers import hookimpl
from sonata_core.models.runtime import *
from sonata_core.models.net import *
from sonata_core.models.storage import *
from sonata_core.models.hooks import *
from sonata_testkit.fixtures import make_context
from {module} import {base} as Right
from sonata_testkit.{suite} import {name}Conformance
{setup}

class Wrong(Right):
    pass

{bug}

class TestConformance({name}Conformance):
    @pytest.fixture
    def plugin_context(self, tmp_path):
        return make_context("{context}", tmp_path{config})

    @pytest.fixture
    def backend(self, plugin_context):
        return Wrong(plugin_context)
{more}
"""
OVERLAY = {"module": "sonata_storage_overlay.plugin", "base": "OverlayStorage", "suite": "storage", "name": "Storage"}
VFS = {"module": "sonata_storage_vfs.plugin", "base": "VfsStorage", "suite": "storage", "name": "Storage"}
RUNC = {"module": "sonata_runtime_runc.plugin", "base": "RuncRuntime", "suite": "runtime", "name": "Runtime"}
CRUN = {"module": "sonata_runtime_crun.plugin", "base": "CrunRuntime", "suite": "runtime", "name": "Runtime"}
NETAVARK = {
    "module": "sonata_net_netavark.plugin",
    "base": "NetavarkNet",
    "suite": "net",
    "name": "Net",
    "config": ", netavark_lock=str(tmp_path / 'lock'), run_dir=str(tmp_path / 'networks')",
}
SLIRP = {"module": "sonata_net_slirp4netns.plugin", "base": "Slirp4netnsNet", "suite": "net", "name": "Net"}
OCI = {
    "module": "sonata_transport_oci.plugin",
    "base": "OciTransport",
    "suite": "transport",
    "name": "Transport",
    "more": """
    @pytest.fixture
    def place_text(self, tmp_path):
        return lambda name: f"{tmp_path}/layout:{name}"
""",
}
DIR = {"module": "sonata_transport_dir.plugin", "base": "DirTransport", "suite": "transport", "name": "Transport"}
HOOKS = {
    "module": "sonata_hooks_dir.plugin",
    "base": "DirHooks",
    "suite": "hooks",
    "name": "Hooks",
    "config": ", hooks_dirs=hook_folder(tmp_path)",
    "setup": """
def hook_folder(tmp_path):
    for name in "abcdefgh":
        document = {"version": "1.0.0", "hook": {"path": "/bin/true", "args": [name]}, "when": {"always": True},
                    "stages": ["prestart"]}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    return (str(tmp_path),)
""",
}

BUGS = {
    "storage-removes-a-parent-in-use": (OVERLAY, "S-05", """
@hookimpl
def storage_remove(self, layer):
    shutil.rmtree(os.path.join(layer.store, "overlay", layer.id), ignore_errors=True)
"""),
    "storage-takes-a-key-twice": (OVERLAY, "S-03", """
@hookimpl
def storage_create(self, layer, parent, options, staged):
    try:
        return Right.storage_create(self, layer, parent, options, staged)
    except AlreadyExists:
        return Right.storage_contents(self, layer)[0]
"""),
    "storage-counts-parents": (OVERLAY, "S-09", """
@hookimpl
def storage_usage(self, layer):
    own = Right.storage_usage(self, layer)
    parent = Right.storage_info(self, layer).parent
    more = self.storage_usage(layer.replace(id=parent)).bytes if parent else 0
    return own.replace(bytes=own.bytes + more)
"""),
    "storage-loses-whiteouts": (OVERLAY, "S-06", """
@hookimpl
def storage_create(self, layer, parent, options, staged):
    return Right.storage_create(self, layer, parent, options, staged).replace(format=LayerFormat.OVERLAY_FUSE)
"""),
    "storage-leaves-its-link": (OVERLAY, "S-12", """
@hookimpl
def storage_remove(self, layer):
    folder = os.path.join(layer.store, "overlay", layer.id)
    if os.path.exists(folder + "/link"):
        os.unlink(folder + "/link")
    Right.storage_remove(self, layer)
"""),
    "storage-forgets-owners": (VFS, "S-07", """
@hookimpl
def storage_create(self, layer, parent, options, staged):
    target = Right.storage_create(self, layer, None, options, staged)
    if parent is not None:
        shutil.copytree(Right.storage_contents(self, parent)[0].path, target.path, symlinks=True, dirs_exist_ok=True,
                        ignore=lambda top, names: [n for n in names if n in ("pipe", "null")])
    return target
"""),
    "runtime-cannot-delete-what-is-absent": (CRUN, "R-03", """
@hookimpl
def runtime_delete(self, ref, force):
    if self.runtime_state(ref).status is RuntimeStatus.ABSENT:
        raise NotFound(ref.id)
    Right.runtime_delete(self, ref, force)
"""),
    "runtime-kills-the-dead": (RUNC, "R-06", """
@hookimpl
def runtime_kill(self, ref, signal, everyone):
    try:
        Right.runtime_kill(self, ref, signal, everyone)
    except Conflict:
        pass
"""),
    "runtime-misunderstands": (CRUN, "R-05", """
@hookimpl
def runtime_explain(self, verb, log_lines, message):
    found = Right.runtime_explain(self, verb, log_lines, message)
    return found.replace(kind=FailureKind.DENIED) if found.kind is FailureKind.NOT_FOUND else found
"""),
    "runtime-leaks-our-environment": (RUNC, "R-08", """
@hookimpl
def runtime_launch(self, request):
    return Right.runtime_launch(self, request).replace(env=dict(os.environ))
"""),
    "runtime-signals-everyone": (CRUN, "R-07", """
@hookimpl
def runtime_kill(self, ref, signal, everyone):
    Right.runtime_kill(self, ref, signal, True)
"""),
    "net-detaches-once-only": (NETAVARK, "N-03", """
@hookimpl
def net_detach(self, netns, request, attached):
    if attached is None:
        raise NotFound("not attached")
    Right.net_detach(self, netns, request, attached)
"""),
    "net-leaves-a-rule": (NETAVARK, "N-09", """
@hookimpl
def net_attach(self, netns, request):
    chain = ["iptables", "-w", "-A", "FORWARD", "-m", "comment", "--comment", "left"]
    subprocess.run(chain, check=True)
    return Right.net_attach(self, netns, request)
"""),
    "net-gives-another-address": (NETAVARK, "N-01", """
@hookimpl
def net_attach(self, netns, request):
    shifted = [each.replace(addresses=tuple(a[:-1] + "9" for a in each.addresses)) for each in request.attachments]
    return Right.net_attach(self, netns, request.replace(attachments=tuple(shifted)))
"""),
    "net-forgets-its-helper": (SLIRP, "N-06", """
@hookimpl
def net_detach(self, netns, request, attached):
    if attached is not None:
        Right.net_detach(self, netns, request, attached)
"""),
    "transport-checks-no-digest": (OCI, "T-03", """
@hookimpl
def transport_open_sink(self, reference, options):
    sink = Right.transport_open_sink(self, reference, options)
    def put_blob(blob, stream):
        with open(f"{reference.path}/blobs/sha256/{blob.digest[7:]}", "wb") as file:
            shutil.copyfileobj(stream, file)
    sink.put_blob = put_blob
    return sink
"""),
    "transport-shows-before-commit": (DIR, "T-07", """
@hookimpl
def transport_open_sink(self, reference, options):
    sink = Right.transport_open_sink(self, reference, options)
    sink.put_manifest = sink.commit
    return sink
"""),
    "transport-shows-the-password": (OCI, "T-08", """
@hookimpl
def transport_open_source(self, reference, options):
    if not os.path.exists(reference.path):
        words = [each.credentials.password for each in options.endpoints if each.credentials]
        raise NotFound(f"{reference.path} is absent", hint=f"is {words} right?")
    return Right.transport_open_source(self, reference, options)
"""),
    "hooks-change-the-spec": (HOOKS, "H-02", """
@hookimpl
def oci_hooks(self, spec, annotations):
    spec.setdefault("annotations", {})["seen"] = "yes"
    return Right.oci_hooks(self, spec, annotations)
"""),
    "hooks-come-in-any-order": (HOOKS, "H-01", """
@hookimpl
def oci_hooks(self, spec, annotations):
    found = list(Right.oci_hooks(self, spec, annotations))
    random.shuffle(found)
    return tuple(found)
"""),
    "hooks-say-not-whence": (HOOKS, "H-03", """
@hookimpl
def oci_hooks(self, spec, annotations):
    return tuple(each.replace(origin="") for each in Right.oci_hooks(self, spec, annotations))
"""),
}  # fmt: skip


def run_suite(tmp_path: Path, plugin: dict[str, str], clause: str, bug: str) -> subprocess.CompletedProcess[str]:
    """The clause's tests, run by a pytest of their own against a copy of the plugin with the bug in it."""
    names = [line.split()[1].partition("(")[0] for line in bug.splitlines() if line.startswith("def ")]
    source = bug + "\n".join(f"Wrong.{name} = {name}" for name in names)
    fields = {"config": "", "more": "", "setup": "", "context": plugin["base"].lower(), **plugin}
    test = tmp_path / "test_suite.py"
    test.write_text(HEAD.format(bug=source, **fields))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--clauses", clause, "--strict-clauses",
         "--rootdir", str(tmp_path), "-c", os.devnull, "--basetemp", str(tmp_path / "t"), str(test)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )  # fmt: skip


@pytest.mark.parametrize("name", BUGS)
def test_the_bug_is_caught(name: str, tmp_path: Path) -> None:
    plugin, clause, bug = BUGS[name]
    done = run_suite(tmp_path, plugin, clause, bug)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"failed       {clause}: " in done.stdout, done.stdout
    assert "passed       P-" not in done.stdout


SOUND = sorted({(plugin["base"], clause): (plugin, clause) for plugin, clause, _ in BUGS.values()}.items())


@pytest.mark.parametrize("plugin_and_clause", [row for _, row in SOUND], ids=[f"{b}-{c}" for (b, c), _ in SOUND])
def test_without_the_bug_the_clause_holds(plugin_and_clause: tuple[dict[str, str], str], tmp_path: Path) -> None:
    plugin, clause = plugin_and_clause
    done = run_suite(tmp_path, plugin, clause, "")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"passed       {clause}" in done.stdout, done.stdout
