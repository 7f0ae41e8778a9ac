"""A network backend that routes instead of bridging: an example of a plugin by a third party."""
