"""Commands that are still missing. Read only where a command is not known."""

TO_COME = frozenset(
    (
        *("auto-update", "build", "builder", "buildx", "compose", "context"),
        *("farm", "kube"),
        *("machine", "play", "quadlet"),
        *("container checkpoint",),
        *("container restore", "container runlabel"),
        *("image build",),
        *("system connection", "system dial-stdio", "system hyperv-prep", "system service"),
    )
)
"""Commands that Podman has and Sonata does not have yet: refused by name."""
