"""Debian packages by the program that each is wanted for."""

RUN = {
    "conmon": "conmon",
    "crun": "crun",
    "runc": "runc",
    "netavark": "netavark",
    "aardvark-dns": "aardvark-dns",
    "slirp4netns": "slirp4netns",
    "pasta": "passt",
    "catatonit": "catatonit",
    "iptables": "iptables",
    "ip": "iproute2",
    "gpg": "gpg",
    "/etc/containers/policy.json": "golang-github-containers-image",
    "/usr/share/containers/containers.conf": "golang-github-containers-common",
    "/etc/ssl/certs/ca-certificates.crt": "ca-certificates",
}
"""What containers need."""

TOUR = {"/bin/busybox": "busybox-static", "docker-registry": "docker-registry", "curl": "curl"}
"""What `./try` needs beside that."""

PEERS = {
    "podman": "podman",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "buildah": "buildah",
    "skopeo": "skopeo",
    "openssl": "openssl",
    "strace": "strace",
    "nsenter": "util-linux",
    "kill": "procps",
    "newuidmap": "uidmap",
    "fuse-overlayfs": "fuse-overlayfs",
    "git": "git",
    "zstd": "zstd",
    "setfattr": "attr",
    "setcap": "libcap2-bin",
    "ncat": "ncat",
    "man": "man-db",
    "fish": "fish",
    "zsh": "zsh",
    "pass": "pass",
}
"""What the tests compare with and look with."""

DAEMONS = {"dockerd": "docker.io"}
"""What slow tests start themselves, wanted by the long check. Where services are started at once, such a package is not
installed for them: the host's own Docker would change its firewall."""

GUESTS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "cpio": "cpio",
    "mke2fs": "e2fsprogs",
    "/usr/lib/systemd/systemd": "systemd",
    "dbus-daemon": "dbus",
}
"""What boots the virtual machines of the long check, and what is in them."""
