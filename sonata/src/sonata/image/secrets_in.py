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
    r"(?:^|[_.-])(?:(?:pg|ssh|my|db)?(?:password|passwd|passphrase|pass|pwd)|(?:client|app)?secret|token|credentials?"
    r"|(?:api|private|access|secret|signing|encryption|account|auth)_?key)s?$",
    re.I,
)
_HARMLESS = re.compile(
    r"(?:|true|false|yes|no|none|null|undefined|-|0|1|\*+|x+|[/$`].*|<.*>|\{.*\}|\$\(.*)\Z", re.I | re.S
)
_FORMS = (
    ("private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    ("AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b")),
    ("GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("Stripe key", re.compile(r"\b[rs]k_live_[0-9A-Za-z]{20,}")),
    ("JSON web token", re.compile(r"(?<![\w.-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
    ("password of curl", re.compile(r"\bcurl\b[^|;&\n]{0,100}?\s(?:-u|--user)[ =]?[^\s:'\"$]{1,64}:[^\s'\"$]{3,128}")),
    ("HTTP authorization", re.compile(r"\bAuthorization: ?(?:Bearer|Basic|token) [A-Za-z0-9+/=_.-]{8,}", re.I)),
    ("npm token", re.compile(r"\bnpm_[A-Za-z0-9]{36}\b")),
    ("password in an address", re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{1,256}:[^\s/@]{3,256}@[^\s/]")),
)
_PAIR = re.compile(r"(?<![A-Za-z0-9_.-])(?:--)?([A-Za-z_][A-Za-z0-9_.-]*)=(\"[^\"]*\"|'[^']*'|[^\s\"']+)")
_CREDENTIALS = "credentials-file"
_FILES: tuple[tuple[bytes, str, bytes, re.Pattern[bytes]], ...] = tuple(
    (name, what, place, re.compile(content, re.I | re.M))
    for name, what, place, content in (
        (b".netrc", "password of a network login", b"", rb"\bpassword\s+\S"),
        (b"_netrc", "password of a network login", b"", rb"\bpassword\s+\S"),
        (b".pgpass", "password of a database", b"", rb"^[^#\n]{1,1024}:[^:\n]{1,1024}$"),
        (b".my.cnf", "password of a database", b"", rb"^\s{0,20}password\s{0,20}=\s{0,20}[^\s$]"),
        (b".git-credentials", "credentials of git", b"", rb"://[^\s:@/]{1,256}:[^\s@]{1,256}@"),
        (b".npmrc", "token of npm", b"", rb"_(?:auth(?:Token)?|password)\s{0,20}=\s{0,20}[^\s$]"),
        (b".yarnrc.yml", "token of npm", b"", rb"npmAuth(?:Token|Ident)\s{0,20}:\s{0,20}[\"']?[^\s$\"']"),
        (b".pypirc", "password of PyPI", b"", rb"^\s{0,20}password\s{0,20}[=:]\s{0,20}\S"),
        (b"credentials", "credentials of AWS", b".aws", rb"aws_secret_access_key\s{0,20}=\s{0,20}\S"),
        (b"config.json", "credentials of registries", b".docker", rb'"auth"\s{0,20}:\s{0,20}"[^"]'),
        (b".dockercfg", "credentials of registries", b"", rb'"auth"\s{0,20}:\s{0,20}"[^"]'),
        (b"auth.json", "credentials of registries", b"", rb'"auth"\s{0,20}:\s{0,20}"[^"]'),
        (
            b"application_default_credentials.json",
            "credentials of Google Cloud",
            b"",
            rb'"refresh_token"|"private_key"',
        ),
        (b"accessTokens.json", "credentials of Azure", b".azure", rb'"(?:access|refresh)Token"'),
        (b"msal_token_cache.json", "credentials of Azure", b".azure", rb'"secret"'),
        (b"config", "credentials of a cluster", b".kube", rb"client-key-data:\s{0,20}\S|\btoken:\s{0,20}\S"),
        (b"kubeconfig", "credentials of a cluster", b"", rb"client-key-data:\s{0,20}\S|\btoken:\s{0,20}\S"),
        (b"token", "token of a cluster", b"serviceaccount", rb"^eyJ"),
        (b"hosts.yml", "token of GitHub", b"gh", rb"oauth_token:\s{0,20}\S"),
        (b".vault-token", "token of Vault", b"", rb"\S{8}"),
        (b"credentials.toml", "token of cargo", b".cargo", rb"^\s{0,20}token\s{0,20}="),
        (b"credentials", "token of RubyGems", b".gem", rb":rubygems_api_key:"),
        (b"settings.xml", "password of Maven", b".m2", rb"<password>[^<${]"),
        (b".htpasswd", "hashes of passwords", b"", rb"^[^#:\n]{1,256}:(?:\$|\{SHA\})"),
        (b"wp-config.php", "password of a database", b"", rb"DB_PASSWORD['\"]\s{0,20},\s{0,20}['\"][^'\"]"),
    )
)
"""Name, what it is, the folder that it lies in (empty: any), and what it has where there is a secret in it."""
_BY_NAME = {row[0]: tuple(one for one in _FILES if one[0] == row[0]) for row in _FILES}
_ENVIRONMENT = re.compile(
    rb"^(?:export\s{1,20})?[A-Z0-9_]{0,100}(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|SECRET_?KEY)S?"
    rb"\s{0,20}=\s{0,20}[\"']?[^\s$\"'<]",
    re.I | re.M,
)
_ENV_SAMPLES = (b".example", b".sample", b".dist", b".template", b".defaults", b".test")
_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_ENCRYPTED = re.compile(rb"BEGIN ENCRYPTED PRIVATE|^Proc-Type: 4,ENCRYPTED", re.M)
_OPENSSH = re.compile(rb"BEGIN OPENSSH PRIVATE KEY-----\s{1,4}(\S{1,60})")
_OPEN_CIPHER = b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"
"""What an OpenSSH key begins with whose cipher is `none`, in base64."""
_KEY_ENDS = (b".pem", b".key", b".asc", b".ppk", b".p8", b"_rsa", b"_dsa", b"_ecdsa", b"_ed25519", b"_key")
_STORES = (b".p12", b".pfx", b".jks", b".kdbx", b".keystore")
_SAMPLES = re.compile(
    rb"(?:^|/)(?:tests?|testdata|testing|fixtures?|certdata|examples?|samples?|docs?|demos?|spec)/", re.I
)


def is_candidate(path: bytes) -> bool:
    """Whether the file's content is worth a look."""
    name = path.rpartition(b"/")[2]
    if name in _BY_NAME:
        return any(_lies_in(path, one[2]) for one in _BY_NAME[name])
    return name[:4] == b".env" or name.endswith(_KEY_ENDS) or name.endswith(_STORES)


def _lies_in(path: bytes, folder: bytes) -> bool:
    return not folder or f"/{folder.decode()}/".encode() in b"/" + path


def in_file(path: bytes, head: bytes) -> Iterator[tuple[str, str]]:
    """What secrets a file holds by its name and beginning, which is not empty: ids of checks, and what it is."""
    name = path.rpartition(b"/")[2]
    if name in _BY_NAME:
        for _, what, folder, content in _BY_NAME[name]:
            if _lies_in(path, folder) and content.search(head):
                yield _CREDENTIALS, what
    elif name[:4] == b".env" and name[4:5] in (b"", b".") and not name.endswith(_ENV_SAMPLES):
        if _ENVIRONMENT.search(head):
            yield _CREDENTIALS, "environment file"
    elif name.endswith(_STORES):
        yield "private-key-encrypted", "store of keys"
    else:
        yield from _key_in(path, name, head)


def _key_in(path: bytes, name: bytes, head: bytes) -> Iterator[tuple[str, str]]:
    opened = _is_open_key(path, name, head)
    if opened is None:
        return
    if _SAMPLES.search(path):
        yield "private-key-sample", "private key"
    elif not opened:
        yield "private-key-encrypted", "private key with a passphrase"
    elif path.startswith(b"etc/ssh/ssh_host_"):
        yield "ssh-host-key", "private key of an SSH server"
    else:
        yield "private-key", "private key"


def _is_open_key(path: bytes, name: bytes, head: bytes) -> bool | None:
    """Whether a private key has no passphrase, as far as it tells; None for what is no private key."""
    if name.endswith(b".ppk"):
        return b"Encryption: none" in head if head.startswith(b"PuTTY-User-Key-File") else None
    if b"/private-keys-v1.d/" in path:  # of GnuPG
        return b"protected-private-key" not in head if b"private-key" in head else None
    if not _KEY.search(head):
        return None
    openssh = _OPENSSH.search(head)
    return openssh[1].startswith(_OPEN_CIPHER) if openssh else not _ENCRYPTED.search(head)


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
    """So much of a secret that its owner knows which it is, and nobody else: a quarter, three signs at most."""
    return f"{text[: min(3, len(text) // 4)]}… ({len(text)} characters)"
