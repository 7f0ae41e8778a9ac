"""`sonata pod …`: one verb per file."""
