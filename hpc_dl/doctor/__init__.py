"""Doctor: checks of machine, cluster and nodes; each says what it found, and what to do."""
