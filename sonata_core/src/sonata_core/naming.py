"""Names of images, and digests: their grammar, shared by the engine and the transports.

The grammar is that of the distribution project (reference.go), the normalisation Docker's: a first
component without a dot or colon that is not `localhost` belongs to `docker.io`, and a single
component there to its `library/`. Written without regular expressions: names are checked by nearly
every command, and `re` alone costs as much as a third of the interpreter's start.
"""

from sonata_core.errors import Damaged, UsageError
from sonata_core.models.ids import Digest
from sonata_core.record import Record

DOCKER_HUB = "docker.io"
_HEX = frozenset("0123456789abcdef")
_DIGITS = frozenset("0123456789")
_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_ALNUM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_TAG = _ALNUM | frozenset("_.-")
_HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_NAME_LIMIT = 255
_TAG_LIMIT = 128


class ImageName(Record):
    """A normalised name: `domain/path`, with a tag, a digest, both or neither."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """`docker.io/library/alpine`."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_repository(self) -> str:
        """As a Docker user writes it: `alpine`, `user/name`, `quay.io/a/b`."""
        if self.domain != DOCKER_HUB:
            return self.repository
        rest = self.path.removeprefix("library/")
        return self.path if "/" in rest else rest

    @property
    def familiar(self) -> str:
        """The familiar repository with tag and digest."""
        return self.familiar_repository + self._suffix()

    def with_default_tag(self) -> "ImageName":
        """The same with tag `latest`, where there is neither tag nor digest."""
        return self if self.tag or self.digest else self.replace(tag="latest")

    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.repository + self._suffix()


def is_digest(text: str) -> bool:
    """Whether `text` is `sha256:`, `sha384:` or `sha512:` and that algorithm's lower-case hex digits."""
    algorithm, colon, hexadecimal = text.partition(":")
    return bool(colon) and len(hexadecimal) == _HEX_LENGTHS.get(algorithm, -1) and _HEX.issuperset(hexadecimal)


def check_digest(text: object) -> Digest:
    """`text` as a digest that is safe in a file name or URL. Raises Damaged for anything else."""
    if isinstance(text, str) and is_digest(text):
        return Digest(text)
    raise Damaged(f"invalid checksum digest format: {shown(text)}")


def digest_parts(digest: str) -> tuple[str, str]:
    """Algorithm and hexadecimal digits, checked. Raises Damaged."""
    algorithm, _, hexadecimal = check_digest(digest).partition(":")
    return algorithm, hexadecimal


def shown(value: object) -> str:
    """A stranger's value, fit for a message: quoted, without control characters, at most 120 characters."""
    text = value if isinstance(value, str) else repr(value)
    if len(text) > 120:
        text = text[:117] + "..."
    return '"' + "".join(c if c.isprintable() else "?" for c in text) + '"'


def is_tag(text: str) -> bool:
    """Whether `text` may be a tag."""
    return 0 < len(text) <= _TAG_LIMIT and text[0] not in ".-" and _TAG.issuperset(text)


def split_name(text: str) -> tuple[str, str, str]:
    """Take `name[:tag][@digest]` apart, the name as it was written. Raises UsageError.

    Nothing is normalised; the name may lack its domain.
    """
    rest, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise _invalid(text, f"{shown(digest)} is not a digest")
    tag = ""
    colon = rest.rfind(":")
    if colon > rest.rfind("/"):
        rest, tag = rest[:colon], rest[colon + 1 :]
        if not is_tag(tag):
            raise _invalid(text, f"{shown(tag)} is not a tag")
    if not rest:
        raise _invalid(text, "it has no name")
    return rest, tag, digest


def has_domain(name: str) -> bool:
    """Whether the first component of a name names a host: else the name is a short one."""
    first, slash, _ = name.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")


def parse_name(text: str) -> ImageName:
    """`text` normalised as Docker does. Raises UsageError for what is no reference."""
    name, tag, digest = split_name(text)
    if len(name) == 64 and _HEX.issuperset(name):
        raise _invalid(text, "64 hexadecimal digits are an image's ID, not a name")
    domain, path = DOCKER_HUB, name
    if has_domain(name):
        domain, _, path = name.partition("/")
    if domain == "index.docker.io":
        domain = DOCKER_HUB
    if path.lower() != path:
        raise _invalid(text, "repository name must be lowercase", plain=True)
    if domain == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    if not is_domain(domain) or not is_path(path):
        raise _invalid(text, "its name has characters that a reference may not have")
    if len(domain) + 1 + len(path) > _NAME_LIMIT:
        raise _invalid(text, f"repository name must not be more than {_NAME_LIMIT} characters", plain=True)
    return ImageName(domain=domain, path=path, tag=tag, digest=digest)


def is_domain(text: str) -> bool:
    """Whether `text` may be a host, with or without a port."""
    host, colon, port = text.partition(":")
    if colon and (not port or not _DIGITS.issuperset(port)):
        return False
    labels = host.split(".")
    return all(
        label and label[0] != "-" and label[-1] != "-" and (_ALNUM | {"-"}).issuperset(label) for label in labels
    )


def is_path(text: str) -> bool:
    """Whether `text` may be a repository's path."""
    return all(_is_component(part) for part in text.split("/"))


def _is_component(text: str) -> bool:
    """Runs of lower-case letters and digits, joined by one dot, one or two underscores, or dashes."""
    run = ""
    if not text or text[0] not in _LOWER or text[-1] not in _LOWER:
        return False
    for character in text:
        if character in _LOWER:
            if run and run not in (".", "_", "__") and set(run) != {"-"}:
                return False
            run = ""
        elif character in "._-":
            run += character
        else:
            return False
    return True


def _invalid(text: str, why: str, *, plain: bool = False) -> UsageError:
    message = f"invalid reference format: {why}" if plain else "invalid reference format"
    return UsageError(
        f"parsing reference {shown(text)}: {message}", hint=f"{why}; a name looks like host/repository:tag"
    )
