"""Hashes of short texts without `hashlib`, which loads OpenSSL: some 4 ms that a whole command may not spend.

CPython's own implementations give the same digests. For what is long, `hashlib` is faster.
"""

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import sha256 as _sha256
    from hashlib import sha512 as _sha512
else:
    try:
        from _sha256 import sha256 as _sha256
        from _sha512 import sha512 as _sha512
    except ImportError:  # CPython 3.12 has both in one module
        try:
            from _sha2 import sha256 as _sha256
            from _sha2 import sha512 as _sha512
        except ImportError:
            from hashlib import sha256 as _sha256
            from hashlib import sha512 as _sha512


def sha256_hex(data: bytes) -> str:
    """The SHA-256 of `data`, 64 hexadecimal digits."""
    return _sha256(data).hexdigest()


def sha512_hex(data: bytes) -> str:
    """The SHA-512 of `data`, 128 hexadecimal digits."""
    return _sha512(data).hexdigest()
