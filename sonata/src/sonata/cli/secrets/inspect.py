"""`sonata secret inspect`."""

from __future__ import annotations

from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.store.secrets import Secret


def command(parsed: Parsed, call: Call) -> int:
    """Print what is known of secrets; the data itself only with `--showsecret`."""
    from sonata.cli.output import outcome
    from sonata.engine.secrets import store

    if parsed["pretty"] and parsed["format"]:
        raise UsageError("--pretty and --format cannot be used together")
    kept = store(call.engine)
    found: list[tuple[Secret, str | None]] = []
    missing: list[NotFound] = []
    for name in parsed.args:
        try:
            secret = kept.find(name)
            found.append((secret, kept.data(secret).decode(errors="replace") if parsed["showsecret"] else None))
        except NotFound as error:
            missing.append(NotFound(f"inspecting secret: {error.message}", name=name))
    print(shown(found, parsed), end="")
    return outcome((), missing)


def shown(found: list[tuple[Secret, str | None]], parsed: Parsed) -> str:
    """The text for the secrets: JSON, lines for people, or a template's."""
    if parsed["pretty"]:
        return "".join(pretty(secret, data) for secret, data in found)
    objects = [described(secret, data) for secret, data in found]
    form = parsed["format"]
    from sonata.cli.render.report import is_json, render_objects

    if form and not is_json(form):
        from sonata.cli.inspecting import templated

        fields = [{"SecretData": "", **one} for one in objects]
        return render_objects("inspect", [templated(one, "entities.SecretInfoReport") for one in fields], form)
    from sonata.cli.render.json import dumps

    return dumps(objects, indent=4) + "\n"


def described(secret: Secret, data: str | None) -> dict[str, Any]:
    """The object that `inspect` shows."""
    spec = {
        "Name": secret.name,
        "Driver": {"Name": secret.driver, "Options": dict(secret.options)},
        "Labels": dict(sorted(secret.labels.items())),
    }
    made = {"ID": secret.id, "CreatedAt": secret.created, "UpdatedAt": secret.updated, "Spec": spec}
    return made if data is None else {**made, "SecretData": data}


def pretty(secret: Secret, data: str | None) -> str:
    """As `--pretty` shows it."""
    from sonata.cli.containers.ps import created_text

    lines = [f"ID:              {secret.id}", f"Name:              {secret.name}"]
    if secret.labels:
        lines += ["Labels:", *(f" - {key}={value}" for key, value in sorted(secret.labels.items()))]
    lines.append(f"Driver:            {secret.driver}")
    lines.append(f"Created at:        {created_text(secret.created_ns)}")
    lines.append(f"Updated at:        {created_text(secret.updated_ns)}")
    if data is not None:
        lines.append(f"Secret:            {data}")
    return "\n".join(lines) + "\n"
