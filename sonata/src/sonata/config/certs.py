"""TLS files for a registry: which folder of `certs.d` counts (containers-certs.d(5))."""

from __future__ import annotations

import os

from sonata.config.values import Places


def cert_dirs(places: Places, host: str, given: str = "") -> tuple[str, ...]:
    """The folder with CA (`*.crt`) and client files (`*.cert`, `*.key`) for `host[:port]`, if any.

    The first that exists is used alone. `given`, from --cert-dir, replaces the search.
    """
    if given:
        return (given,)
    if not host or "/" in host or host in (".", ".."):
        return ()
    for folder in _folders(places):
        path = f"{folder}/{host}"
        if os.path.isdir(path):
            return (path,)
    return ()


def _folders(places: Places) -> list[str]:
    kind = "rootful" if places.uid == 0 else "rootless"
    folders = [f"{places.user}/certs.d"] if places.user else []
    for top in (places.etc, places.usr):
        if places.uid:
            folders.append(f"{top}/certs.{kind}.d/{places.uid}")
        folders += [f"{top}/certs.{kind}.d", f"{top}/certs.d"]
    return [*folders, places.docker_certs]
