"""What a plugin's author runs to prove a Sonata plugin."""
