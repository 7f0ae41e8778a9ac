"""Connects Sonata's containers through slirp4netns."""
