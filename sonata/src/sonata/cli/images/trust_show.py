"""`sonata image trust show`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.model.trust import TrustRule

COLUMNS = (("transport", "TRANSPORT"), ("repo_name", "NAME"), ("type", "TYPE"), ("gpg_id", "ID"), ("sigstore", "STORE"))


def command(parsed: Parsed, call: Call) -> int:
    """Print the rules of the policy, or the policy itself."""
    from sonata.cli.render.table import table
    from sonata.engine.images.trust_rules import policy_text, rules

    if parsed["raw"]:
        print(policy_text(call.engine, parsed["signature-policy"]))
        return 0
    registry = parsed.args[0] if parsed.args else ""
    found = rules(call.engine, parsed["signature-policy"], parsed["registrypath"], registry)
    if parsed["json"]:
        from sonata.cli.render.json import dumps

        print(dumps([_shown(one) for one in found], indent=2))
        return 0
    print(table(COLUMNS, [_row(one) for one in found], heading=not parsed["noheading"]), end="")
    return 0


def _row(rule: TrustRule) -> dict[str, Any]:
    return {
        "transport": rule.transport,
        "name": rule.name,
        "repo_name": rule.scope,
        "sigstore": rule.store,
        "type": rule.kind,
        "gpg_id": rule.keys,
    }


def _shown(rule: TrustRule) -> dict[str, Any]:
    """The members in Podman's order; empty ones are left out."""
    return {key: value for key, value in _row(rule).items() if value or key in ("transport", "type")}
