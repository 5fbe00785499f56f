"""The job spec: its options, typed and strict, and where each was written in the file."""
