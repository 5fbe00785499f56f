"""Commands on sweeps: their submission, the verbs of `hpcdl sweep`, and what their tasks do."""
