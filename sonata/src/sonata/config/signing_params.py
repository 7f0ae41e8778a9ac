"""The parameter file of --sign-by-sigstore (containers-sigstore-signing-params.yaml(5))."""

from sonata_core.errors import Unsupported, UsageError
from sonata_core.naming import shown
from sonata_core.record import Record

_LARGEST = 1 << 20
_NETWORK = ("fulcio", "rekorURL")
_KNOWN = ("privateKeyFile", "privateKeyPassphraseFile", *_NETWORK)


class SigningParams(Record):
    """A private key, and the file with its passphrase where there is one."""

    key: str
    passphrase_file: str = ""


def load_signing_params(path: str) -> SigningParams:
    """Read the file. Raises UsageError; Unsupported for what needs a certificate authority or a log on the network."""
    from sonata.config import yaml_text

    try:
        with open(path, "rb") as file:
            document = yaml_text.loads(file.read(_LARGEST).decode("utf-8"))
    except OSError as error:
        raise UsageError(f"open {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"parsing {path}: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"parsing {path}: it is not a map")
    unknown = [name for name in document if name not in _KNOWN]
    if unknown:
        raise UsageError(f"parsing {path}: unknown field {shown(unknown[0])}")
    for name in _NETWORK:
        if name in document:
            raise Unsupported(
                f"{path}: {name} is not supported: a signature is made without asking a service on the network",
                hint="sign with a key: privateKeyFile, and privateKeyPassphraseFile",
            )
    key, passphrase = document.get("privateKeyFile"), document.get("privateKeyPassphraseFile", "")
    if not isinstance(key, str) or not key or not isinstance(passphrase, str):
        raise UsageError(f"parsing {path}: privateKeyFile does not name a file")
    return SigningParams(key=key, passphrase_file=passphrase)
