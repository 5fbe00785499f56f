"""Arrays in files: which there are, and what labels they hold."""
