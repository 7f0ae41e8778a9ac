"""The contract between Sonata and its backends: hookspecs, models, errors and what carries them."""
