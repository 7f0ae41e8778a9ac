"""Connects Sonata's containers to bridge and macvlan networks with netavark and aardvark-dns."""
