"""What a door asks for when it watches: field names are options' long names."""

from sonata.model.container_request import Selection
from sonata_core.record import Record


class EventsRequest(Record):
    """`events`: `since` and `until` as typed, `filter` as `KEY=VALUE`; without `stream` only what is there already."""

    filter: tuple[str, ...] = ()
    since: str = ""
    stream: bool = True
    until: str = ""


class StatsRequest(Record):
    """`stats`: nothing named and not `all`: the containers that run, anew at each look."""

    select: Selection = Selection()
