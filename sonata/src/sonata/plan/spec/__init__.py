"""The OCI runtime specification, written from a container's config."""
