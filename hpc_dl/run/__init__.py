"""A run folder as files: the truth about a run."""
