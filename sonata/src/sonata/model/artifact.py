"""What a door asks for of artifacts."""

from sonata_core.lite import Mapping
from sonata_core.record import Record


class NewFiles(Record):
    """What `artifact add` is told beside the files. `created` is a time as RFC 3339 has it, empty for now."""

    artifact_type: str = ""
    file_type: str = ""
    annotations: Mapping[str, str] = {}
    created: str = ""
