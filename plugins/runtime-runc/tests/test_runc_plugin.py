"""runc: what its version tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonata_core.context import PluginContext
from sonata_core.models.host import HostFacts
from sonata_core.models.process import CommandResult
from sonata_runtime_runc.plugin import RuncRuntime


class Quiet:
    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


@pytest.mark.parametrize(("version", "mapped"), [("1.1.5+ds1", False), ("1.2.0-rc.1", True), ("2.0", True)])
def test_facts(tmp_path: Path, version: str, mapped: bool) -> None:
    (tmp_path / "runc").write_text("x")
    text = f"runc version {version}\ncommit: x\nspec: 1.0.2-dev\ngo: go1.19.8\n".encode()
    context = PluginContext(
        name="runc",
        root=str(tmp_path / "root"),
        run=str(tmp_path / "run"),
        cache=str(tmp_path / "cache"),
        config={},
        facts=HostFacts(
            uid=0, gid=0, rootless=False, kernel="6", machine="x", boot_id="b", cgroup_version=1, cgroup_hybrid=True
        ),
        run_command=lambda command: CommandResult(code=0, stdout=text, stderr=b""),
        find_program=lambda name: str(tmp_path / "runc"),
        log=Quiet(),
    )
    facts = RuncRuntime(context).runtime_facts()
    assert (facts.version, facts.id_mapped_mounts) == (version, mapped)
    assert facts.cgroup_hybrid
