"""Results as tables, JSON, templates and progress lines."""
