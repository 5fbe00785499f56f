"""Who runs jobs: one folder a scheduler."""
