"""How an image that is copied is to be signed."""

from sonata_core.record import Record


class Signing(Record):
    """How to sign; nothing, where every field is empty. `passphrase` is for the key, without a line's end.

    `identity` is signed in place of the destination's own name.
    """

    sign_by: str = ""
    sigstore_key: str = ""
    sigstore_params: str = ""
    sq_fingerprint: str = ""
    passphrase: bytes | None = None
    identity: str = ""

    @property
    def wanted(self) -> bool:
        """Whether anything is to be signed."""
        return bool(self.sign_by or self.sigstore_key or self.sigstore_params or self.sq_fingerprint)

    def __repr__(self) -> str:
        return f"Signing(sign_by={self.sign_by!r}, sigstore_key={self.sigstore_key!r}, ***)"
