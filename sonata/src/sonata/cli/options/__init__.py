"""Option tables: what each command accepts, as data."""
