"""image scp from user to user of one host, as root: into the store of an ordinary user, and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ordinary import PROGRAM, OrdinaryHost, user_needs

pytestmark = user_needs()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdinaryHost]:
    with OrdinaryHost(str(tmp_path_factory.mktemp("users"))) as made:
        yield made


def root(host: OrdinaryHost, *words: str) -> str:
    stores = ["--root", "/var/tmp/roots", "--runroot", "/var/tmp/roots-run", "--storage-driver", "vfs"]
    done = host.as_root(*PROGRAM, *stores, *words)
    assert done.code == 0, done
    return done.out


def test_to_an_ordinary_user_and_back(host: OrdinaryHost) -> None:
    ident = root(host, "pull", "-q", "--tls-verify=false", host.image)
    assert "Loaded image" in root(host, "image", "scp", host.image, f"{host.name}@localhost::")
    assert host.ok("images", "-q", "--no-trunc") == f"sha256:{ident}"
    assert host.ok("run", "--rm", "--network", "none", host.image, "echo", "here") == "here"
    root(host, "rmi", "-f", host.image)
    root(host, "image", "scp", "-q", f"{host.name}@localhost::{host.image}")
    assert root(host, "images", "-q", "--no-trunc") == f"sha256:{ident}"
