"""OpenPGP by the program gpg, in a home of its own: the policy's keys and nothing else (ADR 43).

The message is a stranger's and gpg parses it in a process of its own; it comes by standard input, what was signed
goes to standard output, and gpg's verdict to a memory file, where nothing that the message says can forge it.
"""

from __future__ import annotations

import os

from sonata_core.errors import Damaged, Denied, ExternalFailure, HostLacks
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from sonata_core.models.process import CommandResult

_PAYLOAD_LIMIT = 4 << 20
_STATUS_LIMIT = 1 << 20
_PATIENCE = 60.0
_STATUS = "[GNUPG:] "
_QUIET = ("--batch", "--no-tty", "--quiet", "--no-options", "--no-autostart", "--no-auto-check-trustdb")
_BAD = frozenset(
    (
        "BADSIG",
        "ERRSIG",
        "EXPSIG",
        "EXPKEYSIG",
        "REVKEYSIG",
        "KEYREVOKED",
        "KEYEXPIRED",
        "NODATA",
        "UNEXPECTED",
        "NO_PUBKEY",
    )
)


class KeyRing:
    """A gpg home with some public keys in it, for as long as it is open."""

    def __init__(self, run: Callable[[Command], CommandResult], program: str | None) -> None:
        self._run = run
        self._program = program
        self._home = ""
        self.keys: tuple[str, ...] = ()
        """Fingerprints of the keys, in capital hexadecimal digits."""

    def __enter__(self) -> Self:
        import tempfile

        if self._program is None:
            raise HostLacks("gpg is not installed, so no signature can be checked", hint="apt-get install gpg")
        self._home = tempfile.mkdtemp(prefix="sonata-gpg-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import shutil

        shutil.rmtree(self._home, ignore_errors=True)

    def add(self, keys: Iterable[bytes]) -> None:
        """Import public keys, armoured or not. What is no key is passed over, as peers do."""
        found = dict.fromkeys(self.keys)
        for one in keys:
            _, status = self._gpg(("--import",), one)
            found.update((words[2], None) for words in status if words[0] == "IMPORT_OK" and len(words) > 2)
        self.keys = tuple(found)

    def verify(self, message: bytes) -> tuple[bytes, tuple[str, ...]]:
        """What was signed, and the fingerprints of the key that signed and of its primary key.

        Raises Damaged for anything but one good signature by a key of this ring that has neither expired nor been
        revoked.
        """
        done, status = self._gpg(("--max-output", str(_PAYLOAD_LIMIT), "--output", "-", "--verify", "-"), message)
        words = [line[0] for line in status]
        valid = [line for line in status if line[0] == "VALIDSIG"]
        if done.code != 0 or not _BAD.isdisjoint(words) or words.count("GOODSIG") != 1 or len(valid) != 1:
            raise Damaged(f"Invalid GPG signature: {_reason(words)}")
        if words.count("NEWSIG") != 1 or words.count("PLAINTEXT") != 1 or len(done.stdout) > _PAYLOAD_LIMIT:
            raise Damaged("Invalid GPG signature: there is more than one, or too much is signed")
        return done.stdout, (valid[0][1], valid[0][-1])

    def owners(self, keys: bytes) -> list[str]:
        """The e-mail address of each user id of some keys, or the id itself."""
        done, _ = self._gpg(("--with-colons", "--show-keys"), keys)
        fields = [line.split(":") for line in done.stdout.decode("utf-8", "replace").splitlines()]
        texts = [words[9] for words in fields if words[0] in ("uid", "pub") and len(words) > 9 and words[9]]
        return [text.partition("<")[2].partition(">")[0] or text for text in texts]

    def _gpg(self, words: tuple[str, ...], given: bytes) -> tuple[CommandResult, list[list[str]]]:
        assert self._program is not None
        home = ("--homedir", self._home, "--trust-model", "always", "--disable-dirmngr", "--no-auto-key-retrieve")
        return run_gpg(self._run, (self._program, *_QUIET, *home), words, given)


def run_gpg(
    run: Callable[[Command], CommandResult],
    program: tuple[str, ...],
    words: tuple[str, ...],
    given: bytes,
    env: Mapping[str, str] | None = None,
    more: tuple[int, ...] = (),
) -> tuple[CommandResult, list[list[str]]]:
    """Run gpg to its end; its result, and the words of its status lines."""
    status = os.memfd_create("gpg-status", os.MFD_CLOEXEC)
    try:
        argv = (*program, "--status-fd", str(status), *words)
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", **(env or {})}
        done = run(Command(argv=argv, env=environment, input=given, timeout=_PATIENCE, pass_fds=(status, *more)))
        text = os.pread(status, _STATUS_LIMIT, 0).decode("utf-8", "replace")
    finally:
        os.close(status)
    lines = (line.removeprefix(_STATUS).split() for line in text.splitlines() if line.startswith(_STATUS))
    return done, [words for words in lines if words]


def _reason(words: list[str]) -> str:
    """What gpg found, in its own words."""
    told = [word for word in words if word in _BAD]
    return " ".join(dict.fromkeys(told)) or "no good signature in it"


def sign(
    run: Callable[[Command], CommandResult],
    program: str | None,
    payload: bytes,
    key: str,
    passphrase: bytes | None,
    env: Mapping[str, str],
) -> bytes:
    """An OpenPGP message with `payload`, signed by a key of the user's own key ring. Raises Denied, HostLacks."""
    if program is None:
        raise HostLacks("gpg is not installed, so nothing can be signed", hint="apt-get install gpg")
    if not key or key.startswith("-") or not key.isprintable():
        raise Denied(f"{key!r} names no key", hint="gpg --list-secret-keys")
    words: tuple[str, ...] = ("--local-user", key, "--output", "-", "--sign")
    secret = -1
    try:
        if passphrase is not None:
            secret = os.memfd_create("passphrase", os.MFD_CLOEXEC)
            os.write(secret, passphrase)
            os.lseek(secret, 0, os.SEEK_SET)
            words = ("--pinentry-mode", "loopback", "--passphrase-fd", str(secret), *words)
        program_words = (program, "--batch", "--no-tty", "--quiet", "--no-armor")
        done, status = run_gpg(run, program_words, words, payload, env, (secret,) if secret >= 0 else ())
    finally:
        if secret >= 0:
            os.close(secret)
    if done.code != 0 or not any(line[0] == "SIG_CREATED" for line in status) or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ExternalFailure(
            f"gpg cannot sign as {key}: {said[-1] if said else f'exit code {done.code}'}",
            hint="gpg --list-secret-keys; a key with a passphrase wants --sign-passphrase-file or a running gpg-agent",
        )
    return done.stdout


def key_owners(run: Callable[[Command], CommandResult], program: str | None, keys: bytes) -> list[str]:
    """Whose the public keys are: the e-mail address of each user id, or the id itself where it has none."""
    with KeyRing(run, program) as ring:
        return ring.owners(keys)
