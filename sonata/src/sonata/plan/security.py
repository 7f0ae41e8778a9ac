"""`--security-opt`, capabilities and privileges, decided."""

from __future__ import annotations

from sonata.model.container import Capabilities, SecurityConfig
from sonata.plan import caps
from sonata.plan.values import boolean, go_quote
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sonata.model.defaults import Defaults
    from sonata.model.request import SecurityOptions
    from sonata_core.lite import Any
    from sonata_core.models.host import HostFacts


_POLICIES = ("default", "image")


def decide(given: SecurityOptions, user: str, facts: HostFacts, defaults: Defaults) -> SecurityConfig:
    """What the process may do. Raises UsageError with Podman's texts."""
    privileged = defaults.privileged if given.privileged is None else given.privileged
    if given.seccomp_policy not in _POLICIES:
        raise UsageError(
            f'invalid seccomp policy {go_quote(given.seccomp_policy)}: valid policies are ["default" "image"]'
        )
    fields = _options(given.security_opt)
    if not fields["seccomp"]:
        fields["seccomp"] = "unconfined" if privileged else defaults.seccomp_profile
    if fields["apparmor"] not in ("", "unconfined") and not facts.apparmor:
        raise UsageError(
            f'apparmor profile "{fields["apparmor"]}" specified, but Apparmor is not enabled on this system'
        )
    fields["apparmor"] = fields["apparmor"] or ("unconfined" if privileged else defaults.apparmor_profile)
    return SecurityConfig(
        privileged=privileged,
        capabilities=_capabilities(given, user, facts, defaults, privileged=privileged),
        cap_add=tuple(caps.normalise(given.cap_add)),
        cap_drop=tuple(caps.normalise(given.cap_drop)),
        seccomp_policy=given.seccomp_policy,
        security_opt=given.security_opt,
        **fields,
    )


def _capabilities(
    given: SecurityOptions, user: str, facts: HostFacts, defaults: Defaults, *, privileged: bool
) -> Capabilities:
    own = {"CAP_" + name for name in facts.capabilities}
    if privileged:
        # As in Podman, --cap-drop does not take anything from a privileged container.
        bounding = tuple(sorted(own)) if own else caps.ALL
    else:
        merged = caps.merge(defaults.default_capabilities, given.cap_add, given.cap_drop)
        bounding = tuple(name for name in merged if name in own or not own)
    added = tuple(name for name in caps.normalise(given.cap_add) if name in bounding)
    if is_root(user):
        return Capabilities(bounding=bounding, effective=bounding)
    return Capabilities(bounding=bounding, effective=added, ambient=added)


def is_root(user: str) -> bool:
    """Whether a user option means root, as far as can be said without the root's passwd."""
    return user.partition(":")[0] in ("", "0", "root")


def _options(given: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "seccomp": "",
        "apparmor": "",
        "no_new_privileges": False,
        "label_options": (),
        "mask": (),
        "unmask": (),
        "proc_options": (),
    }
    for text in given:
        key, value = _pair(text)
        if key == "no-new-privileges":
            found["no_new_privileges"] = _flag(text, value) if value else True
        elif key in ("seccomp", "apparmor"):
            found[key] = value
        elif key == "label":
            found["label_options"] += (value,)
        elif key in ("mask", "unmask"):
            found[key] += tuple(_paths(value))
        elif key == "proc-opts":
            found["proc_options"] = tuple(value.split(","))
        elif key != "systempaths" or value != "unconfined":
            raise UsageError(f"invalid --security-opt 2: {go_quote(text)}")
        else:
            found["unmask"] += ("ALL",)
    return found


def _flag(text: str, value: str) -> bool:
    try:
        return boolean(value)
    except UsageError:
        raise UsageError(f"invalid --security-opt 2: {go_quote(text)}") from None


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        key, equals, value = text.partition(":")
    if not equals and key != "no-new-privileges":
        raise UsageError(f"invalid --security-opt 1: {go_quote(text)}")
    return key, value


def _paths(text: str) -> list[str]:
    return ["ALL" if part.upper() == "ALL" else part for part in text.replace(",", ":").split(":") if part]
