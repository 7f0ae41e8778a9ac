"""A participant of Sonata's hooks group: an example of a plugin by a third party."""
