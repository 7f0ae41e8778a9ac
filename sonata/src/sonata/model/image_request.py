"""What a door asks for when it pulls."""

from sonata_core.record import Record


class PullOptions(Record):
    """Options that every command which may pull has.

    `retry_delay` is a Go duration; `anonymous` asks without kept credentials; `daemon_host` is where a Docker daemon
    listens.
    """

    anonymous: bool = False
    arch: str = ""
    authfile: str = ""
    cert_dir: str = ""
    creds: str = ""
    daemon_host: str = ""
    decryption_key: tuple[str, ...] = ()
    os: str = ""
    platform: str = ""
    retry: int | None = None
    retry_delay: str = ""
    signature_policy: str = ""
    tls_verify: bool | None = None
    variant: str = ""


class PullRequest(PullOptions):
    """`pull`: `images` as typed, with or without transport. `policy`: always, missing, never, newer."""

    images: tuple[str, ...]
    all_tags: bool = False
    policy: str = "always"
    quiet: bool = False


class PushRequest(PullOptions):
    """`push`: `destination` as typed, empty for the image's own name. `format`: oci, v2s2 or empty for as it is."""

    image: str
    destination: str = ""
    compress: bool = False
    compression_format: str = ""
    compression_level: int | None = None
    digestfile: str = ""
    force_compression: bool | None = None
    format: str = ""
    quiet: bool = False
    remove_signatures: bool = False


class LoginRequest(Record):
    """`login` and `logout`. `registry`: a host or a repository as typed, empty for the first that is searched.

    `compat_auth_file` is written in the form that Docker reads. `secret` names a secret that holds the password.
    """

    registry: str = ""
    all: bool = False
    authfile: str = ""
    cert_dir: str = ""
    compat_auth_file: str = ""
    password: str = ""
    secret: str = ""
    tls_verify: bool | None = None
    username: str = ""

    def __repr__(self) -> str:
        return f"LoginRequest(registry={self.registry!r}, username={self.username!r}, ***)"


class SearchRequest(PullOptions):
    """`search`: `term` as typed, with or without registry; `limit` 0 for the registry's own 25."""

    term: str
    filter: tuple[str, ...] = ()
    limit: int = 0
    list_tags: bool = False
