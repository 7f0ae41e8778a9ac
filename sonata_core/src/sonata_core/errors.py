"""The errors of Sonata: a class says what the caller can do next.

    SonataError(message, hint=None, **details)
    ├─ UsageError            fix the request
    ├─ NotFound              choose another name
    ├─ AlreadyExists         choose another name
    ├─ Conflict              wrong phase, or in use
    │  └─ InUse
    ├─ AlreadyInState        nothing to do
    ├─ Denied                get permission
    ├─ Unsupported           choose another backend
    ├─ Unavailable           fix the host
    │  ├─ BackendMissing     install a package
    │  └─ HostLacks          kernel or tool too old, or absent
    ├─ TimedOut              retry or wait
    ├─ Interrupted           the user stopped it
    ├─ ProcessRefused        fix the container's command
    │  ├─ CommandNotFound
    │  └─ CommandNotExecutable
    ├─ ExternalFailure       read what the tool said
    │  ├─ CommandFailed
    │  └─ RegistryFailure
    ├─ Damaged               data does not verify
    └─ PluginFault           report to the plugin's author
       ├─ PluginCrashed
       ├─ PluginBrokeContract
       └─ IncompatiblePlugin

Messages say what was asked and what was found; hints say what to do. Details are fields, never
part of the prose. The doors map classes to exit codes and HTTP statuses, each in one table.

`code` names the class to programs (`docs/errors.md`): codes are added, never renamed. Detail `object`
is the name of what the error is about.
"""


class SonataError(Exception):
    """Base of everything that leaves a backend or a use-case."""

    code = "error"

    def __init__(self, message: str, hint: "str | None" = None, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return self.message


class UsageError(SonataError):
    """The request makes no sense as it stands."""

    code = "usage"


class NotFound(SonataError):
    """No object has that name."""

    code = "not_found"


class AlreadyExists(SonataError):
    """An object has that name already."""

    code = "already_exists"


class Conflict(SonataError):
    """The object is in a phase in which this cannot be done."""

    code = "conflict"


class InUse(Conflict):
    """Another object needs this one."""

    code = "in_use"


class AlreadyInState(SonataError):
    """There is nothing to do."""

    code = "already_in_state"


class Denied(SonataError):
    """Permission is lacking."""

    code = "denied"


class Unsupported(SonataError):
    """This backend cannot do it; another may."""

    code = "unsupported"


class Unavailable(SonataError):
    """This host cannot do it as it is."""

    code = "unavailable"


class BackendMissing(Unavailable):
    """No installed distribution provides the backend."""

    code = "backend_missing"


class HostLacks(Unavailable):
    """The kernel or a helper program is absent or too old."""

    code = "host_lacks"


class TimedOut(SonataError):
    """It took longer than it was allowed to."""

    code = "timed_out"


class Interrupted(SonataError):
    """The user stopped it."""

    code = "interrupted"


class ProcessRefused(SonataError):
    """The runtime could not run the container's command."""

    code = "process_refused"


class CommandNotFound(ProcessRefused):
    """The container's command does not exist in its root."""

    code = "command_not_found"


class CommandNotExecutable(ProcessRefused):
    """The container's command exists but may not be executed."""

    code = "command_not_executable"


class ExternalFailure(SonataError):
    """A program or service outside Sonata reported failure."""

    code = "external_failure"


class CommandFailed(ExternalFailure):
    """A helper program exited with an error; details: argv, code, stderr."""

    code = "command_failed"


class RegistryFailure(ExternalFailure):
    """A registry refused; details: status, codes, url (redacted), temporary."""

    code = "registry_failure"


class Damaged(SonataError):
    """Data does not verify: a digest, a size, a record."""

    code = "damaged"


class PluginFault(SonataError):
    """A plugin did what no plugin may do."""

    code = "plugin_fault"


class PluginCrashed(PluginFault):
    """A plugin raised something that is no SonataError; details: backend, hook."""

    code = "plugin_crashed"


class PluginBrokeContract(PluginFault):
    """A plugin lacks a required hook, or misspells one."""

    code = "plugin_broke_contract"


class IncompatiblePlugin(PluginFault):
    """A plugin was written for a newer contract than this core has."""

    code = "incompatible_plugin"
