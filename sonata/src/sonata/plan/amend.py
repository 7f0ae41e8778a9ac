"""Changing the hosts and resolv.conf of a running container: what somebody has written into them stays."""

from __future__ import annotations

from sonata.plan.files import parse_resolv


def hosts(text: str, before: str, after: str) -> str:
    """The file `text`, which began as `before`, with what `after` has more and without what it has less."""
    if text == before:
        return after
    old, new = before.splitlines(), after.splitlines()
    kept = text.splitlines()
    for line in old:
        if line not in new and line in kept:
            kept.remove(line)
    kept += [line for line in new if line not in old and line not in kept]
    return "".join(f"{line}\n" for line in kept)


def resolv_conf(text: str, before: str, after: str) -> str:
    """The same for resolv.conf, whose comments are lost: new servers come first, as the order counts."""
    if text == before:
        return after
    now, old, new = (parse_resolv(one) for one in (text, before, after))
    search, servers, options = (_amended(now[key], old[key], new[key]) for key in ("search", "nameserver", "options"))
    lines = [f"search {' '.join(search)}"] if search else []
    lines += [f"nameserver {server}" for server in servers]
    lines += [f"options {' '.join(options)}"] if options else []
    return "".join(f"{line}\n" for line in lines)


def _amended(now: tuple[str, ...], before: tuple[str, ...], after: tuple[str, ...]) -> tuple[str, ...]:
    more = tuple(word for word in after if word not in before and word not in now)
    return more + tuple(word for word in now if word in after or word not in before)
