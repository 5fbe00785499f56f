"""A run folder as files: its layout, journal, submission, lease and other records.

Login and compute nodes share nothing else, so whatever is known of a run is read and written here.
Every room above may import it; it imports neither torch nor MLflow, and no other room.
"""
