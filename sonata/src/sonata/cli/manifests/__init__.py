"""`sonata manifest`."""
