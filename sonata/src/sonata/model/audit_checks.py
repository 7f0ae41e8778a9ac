"""What `image audit` looks for: one table, from which the options, the help and `docs/image-audit.md` are made."""

from sonata_core.record import Record

LEVELS = ("info", "low", "medium", "high", "critical")
"""How bad a finding is, the least first."""


class Check(Record):
    """A thing that is looked for. `id` and `level` are stable: scripts name them.

    `live`: told only of files that a container sees; others are told of in every layer, since they can be read there.
    """

    id: str
    kind: str
    level: str
    meaning: str
    remedy: str
    live: bool = True


def _rows(kind: str, *rows: tuple[str, str, str, str], live: bool = True) -> tuple[Check, ...]:
    return tuple(
        Check(id=name, kind=kind, level=level, meaning=meaning, remedy=remedy, live=live)
        for name, level, meaning, remedy in rows
    )


_BITS = "Take the bit away (`chmod u-s,g-s`), or run with `--security-opt no-new-privileges`."
_OPEN = "Take write permission from others (`chmod o-w`), or set the sticky bit of a folder."
_SECRET = "Replace the secret, which has been shown; give it at run time or to a build step (`--secret`)."  # noqa: S105

CHECKS: dict[str, Check] = {
    check.id: check
    for check in (
        *_rows(
            "setuid",
            ("setuid-usual", "low", "A program that distributions ship set-user-ID root, at its usual place.", _BITS),
            ("setuid-root", "high", "Any other program that runs as root whoever starts it.", _BITS),
            ("setuid-user", "medium", "A program that runs as another user than root.", _BITS),
            ("setuid-inert", "info", "The set-user-ID bit on a file that nobody may execute.", _BITS),
        ),
        *_rows(
            "setgid",
            ("setgid-usual", "low", "A program that distributions ship set-group-ID, at its usual place.", _BITS),
            ("setgid-unusual", "medium", "Any other program that runs with a group of its own.", _BITS),
        ),
        *_rows(
            "capability",
            (
                "capability-usual",
                "low",
                "A program with the file capabilities that distributions give it, such as `ping` with `cap_net_raw`.",
                "Take them away (`setcap -r`) if nobody needs the program.",
            ),
            (
                "capability-unusual",
                "medium",
                "Any other program with file capabilities.",
                "Take them away (`setcap -r`).",
            ),
            (
                "capability-powerful",
                "high",
                "File capabilities that amount to being root, such as `cap_sys_admin` or `cap_setuid`.",
                "Take them away (`setcap -r`), or run with `--security-opt no-new-privileges`.",
            ),
            (
                "capability-malformed",
                "low",
                "An attribute `security.capability` that the kernel does not understand.",
                "Build the file again.",
            ),
        ),
        *_rows(
            "world-writable",
            (
                "world-writable-system",
                "high",
                "A program, or a file or folder of the system (`/etc`, `/usr`, `/bin`, `/lib`, the root itself), "
                "that everybody may change.",
                _OPEN,
            ),
            ("world-writable-file", "medium", "Any other file that everybody may change.", _OPEN),
            ("world-writable-folder", "medium", "Any other folder without sticky bit that all may write to.", _OPEN),
            (
                "world-writable-privileged",
                "critical",
                "A file with set-user-ID or set-group-ID bit or file capabilities that everybody may change.",
                _OPEN,
            ),
        ),
        *_rows(
            "device",
            (
                "device-usual",
                "info",
                "A device node that every container has: null, zero, full, random, urandom, tty, console, ptmx.",
                "Leave `/dev` out: engines make it.",
            ),
            ("device-unusual", "medium", "Any other character device.", "Leave it out; give devices with `--device`."),
            ("device-block", "high", "A block device, or the memory of the host.", "Leave it out."),
            (
                "device-whiteout",
                "medium",
                "A character device 0:0: overlay takes it for the mark of a deleted file, other drivers do not.",
                "Build the layer with marks of OCI (`.wh.`).",
            ),
        ),
        *_rows(
            "link",
            (
                "link-above-root",
                "medium",
                "A symbolic link whose `..` go above the root: within a container it cannot, for what unpacks it may.",
                "Make it shorter, or absolute.",
            ),
            (
                "link-proc",
                "high",
                "A symbolic link through a process's `root` or `cwd` in `/proc`: the way to another root.",
                "Remove it.",
            ),
            (
                "name-above-root",
                "high",
                "A member of a layer, or the target of a hard link, whose `..` would leave the root.",
                "Trust no such image: usual programs do not write this.",
            ),
        ),
        *_rows(
            "secret",
            ("private-key", "high", "A private key that no passphrase protects.", _SECRET),
            ("private-key-encrypted", "low", "A private key that a passphrase protects, or a store of keys.", _SECRET),
            (
                "private-key-sample",
                "info",
                "A private key in a folder of tests, examples or documents.",
                "Leave out tests.",
            ),
            ("ssh-host-key", "high", "The private key of an SSH server: the same for all containers.", _SECRET),
            (
                "credentials-file",
                "high",
                "A file with credentials: of registries, clouds, clusters, databases, package registries, `.netrc`, "
                "`.git-credentials`, `.env` and so on.",
                _SECRET,
            ),
            ("password-hash", "high", "A password in `/etc/shadow` or `/etc/passwd`, as a hash.", _SECRET),
            ("secret-environment", "high", "A secret in a variable of the configuration.", _SECRET),
            ("secret-label", "high", "A secret in a label.", _SECRET),
            ("secret-history", "high", "A secret in a step of the history, as build arguments leave them.", _SECRET),
            ("secret-command", "high", "A secret in command, entrypoint, health check or ONBUILD.", _SECRET),
            live=False,
        ),
        *_rows(
            "account",
            ("password-empty", "high", "An account that anybody may log into without a password.", "Lock it (`*`)."),
            (
                "sudo-nopasswd",
                "medium",
                "A rule of sudo or doas by which somebody becomes root without a password.",
                "Take the rule or the program away.",
            ),
        ),
        *_rows(
            "user",
            (
                "user-root",
                "low",
                "The configuration names no user, or root.",
                "Set `USER`, or run with `--user` or a user namespace.",
            ),
            (
                "user-unknown",
                "medium",
                "The configuration names a user that the image's `/etc/passwd` lacks: it will not start.",
                "Add the user, or name it by number.",
            ),
        ),
        *_rows(
            "config",
            (
                "workdir-proc",
                "critical",
                "A working folder in `/proc`: by `/proc/self/fd` old runtimes leave the root (CVE-2024-21626).",
                "Trust no such image.",
            ),
            (
                "path-unsafe",
                "medium",
                "`PATH` has an empty or relative folder: programs are taken from where one happens to be.",
                "Name absolute folders only.",
            ),
            (
                "port-admin",
                "medium",
                "A port of remote administration is exposed: telnet, ssh, Docker, RDP, VNC and so on.",
                "Leave it out; `exec` needs no server.",
            ),
            (
                "volume-sensitive",
                "medium",
                "A volume over the system (`/`, `/etc`, `/usr`, `/proc`, `/sys`, `/dev`) or a socket of an engine.",
                "Leave it out.",
            ),
            ("onbuild", "info", "Instructions that run in builds of others upon this image.", "Look at them."),
        ),
        *_rows(
            "waste",
            (
                "layer-waste",
                "info",
                "At least 1 MB of a layer, and a tenth of it, lies in files that later layers replace or remove.",
                "Remove files in the step that makes them.",
            ),
        ),
        *_rows(
            "trust",
            ("policy-rejected", "high", "policy.json rejects the image, or there is no usable policy.", "Sign it."),
            (
                "unsigned",
                "info",
                "No signature came with the image, and the policy does not ask for one.",
                "Ask for signatures in policy.json.",
            ),
        ),
    )
}

KINDS = tuple(dict.fromkeys(check.kind for check in CHECKS.values()))
