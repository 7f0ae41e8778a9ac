"""Secrets by their looks: names that promise one, and texts that have the form of one. What is shown is cut short.

The texts are a stranger's: no pattern may begin again within what it has just run through in vain, or a long text takes
the square of its length. So runs have a bound, or begin only where nothing before them belongs to the run.
"""

from __future__ import annotations

import re

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(
    r"(?:^|[_.-])(?:password|passwd|passphrase|pass|secret|token|api_?key|private_?key|access_?key|credentials?)s?$",
    re.I,
)
_HARMLESS = re.compile(r"^(?:|true|false|yes|no|none|null|0|1|\*+|/.*|\$.*|<.*>|\{.*\})$", re.I)
_FORMS = (
    ("private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    ("AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b")),
    ("GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("Stripe key", re.compile(r"\b[rs]k_live_[0-9A-Za-z]{20,}")),
    ("JSON web token", re.compile(r"(?<![\w.-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
    ("password in an address", re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{1,256}:[^\s/@]{3,256}@[^\s/]")),
)
_PAIR = re.compile(r"(?<![A-Za-z0-9_.-])([A-Za-z_][A-Za-z0-9_.-]*)=(\"[^\"]*\"|'[^']*'|[^\s\"']+)")
_FILES: tuple[tuple[str, re.Pattern[bytes], re.Pattern[bytes] | None], ...] = tuple(
    (what, re.compile(name), re.compile(content, re.I | re.M) if content else None)
    for what, name, content in (
        (
            "private key",
            rb"(?:^|/)(?:id_(?:rsa|dsa|ecdsa|ed25519)|[^/]+\.(?:pem|key))$",
            rb"BEGIN [A-Z ]{0,40}PRIVATE KEY-",
        ),
        ("password of a network login", rb"(?:^|/)[._]netrc$", rb"password\s+\S"),
        ("password of a database", rb"(?:^|/)\.pgpass$", rb"^[^#\n]{1,1024}:[^:\n]{1,1024}$"),
        ("credentials of git", rb"(?:^|/)\.git-credentials$", rb"://[^\s:@]{1,256}:[^\s@]{1,256}@"),
        ("token of npm", rb"(?:^|/)\.npmrc$", rb"_auth(?:Token)?\s*=\s*[^\s$]"),
        ("password of PyPI", rb"(?:^|/)\.pypirc$", rb"password\s*[=:]\s*\S"),
        ("credentials of AWS", rb"(?:^|/)\.aws/credentials$", rb"aws_secret_access_key\s*=\s*\S"),
        ("credentials of registries", rb"(?:^|/)(?:\.docker/config|auth)\.json$", rb'"auth"\s*:\s*"[^"]'),
        ("credentials of Google Cloud", rb"(?:^|/)application_default_credentials\.json$", rb'"refresh_token"'),
        ("credentials of a cluster", rb"(?:^|/)(?:\.kube/config|kubeconfig)$", rb"client-key-data|token:\s*\S"),
        ("store of keys", rb"(?:^|/)[^/]+\.(?:p12|pfx|jks|kdbx)$", b""),
        ("environment file", rb"(?:^|/)\.env(?:\.[a-z]+)?$", rb"(?:password|secret|token|api_?key)s?\s*=\s*[^\s$]"),
    )
)


def is_candidate(path: bytes) -> bool:
    """Whether the file's content is worth a look."""
    return any(name.search(path) for _, name, _ in _FILES)


def in_file(path: bytes, head: bytes) -> str:
    """What secret a file holds by its name and beginning; empty for none."""
    for what, name, content in _FILES:
        if name.search(path) and (content is None or content.search(head)):
            return what
    return ""


def in_pair(name: str, value: str) -> str:
    """What secret a variable or label holds; empty for none."""
    form = _form(value)
    if form:
        return f"{name}: {form}"
    if _NAME.search(name) and not _HARMLESS.match(value):
        return f"{name}={cut(value)}"
    return ""


def in_command(command: str) -> Iterator[str]:
    """What secrets a step of the history tells."""
    rest, at = [], 0
    for match in _PAIR.finditer(command):
        told = in_pair(match[1], match[2].strip("\"'"))
        if told:
            rest.append(command[at : match.start()])
            at = match.end()
            yield told
    form = _form("".join([*rest, command[at:]]))
    if form:
        yield form


def _form(text: str) -> str:
    for what, pattern in _FORMS:
        found = pattern.search(text)
        if found:
            return f"{what} {cut(found[0])}"
    return ""


def cut(text: str) -> str:
    """So much of a secret that its owner knows which it is."""
    return f"{text[:3]}… ({len(text)} characters)"
