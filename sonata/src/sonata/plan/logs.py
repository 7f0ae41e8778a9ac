"""Where a container's output goes: `--log-driver` and `--log-opt`."""

from __future__ import annotations

from sonata.model.container import LogConfig
from sonata.plan.values import go_quote, size
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.model.defaults import Defaults
    from sonata.model.materials import Materials
    from sonata.model.request import RunRequest

LOG_DRIVERS = ("k8s-file", "json-file", "journald", "none", "passthrough", "passthrough-tty")
DEFAULT_LOG_SIZE = 64 * 1024 * 1024
"""Logs are bounded where nobody says otherwise."""
_MOST_LOG_FILES = 1000


def log_config(request: RunRequest, materials: Materials, defaults: Defaults) -> LogConfig:
    """The request's, else the configuration's. Raises UsageError for a driver or an option that is none."""
    driver = request.log_driver or defaults.log_driver
    if driver not in LOG_DRIVERS:
        raise UsageError("running container create option: invalid log driver: invalid argument")
    path, tag, labels = defaults.log_path, defaults.log_tag, {}
    limit, files = defaults.log_size_max, 1
    for text in request.log_opt:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"invalid log option {go_quote(text)}")
        if key == "path":
            path = value
        elif key == "tag":
            tag = value
        elif key in ("max-size", "max_size"):
            limit = size(value) if value != "-1" else -1
        elif key in ("max-file", "max_file"):
            files = _log_files(value)
        elif key == "label":
            name, _, label = value.partition("=")
            labels[name] = label
        else:
            raise UsageError(f"invalid log option {go_quote(text)}")
    return LogConfig(
        driver=driver,
        path=path or (materials.log_path if driver in ("k8s-file", "json-file") else ""),
        max_files=files,
        max_size=DEFAULT_LOG_SIZE if limit < 0 and "max-size=-1" not in request.log_opt else max(limit, -1),
        tag=tag,
        labels=labels,
    )


def _log_files(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_LOG_FILES:
        raise UsageError(f"invalid log option {go_quote(f'max-file={text}')}: it must be between 1 and 1000")
    return int(text)
