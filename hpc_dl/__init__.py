"""hpcdl: a YAML job spec in; a trained, tracked, resumable neural network out."""

__version__ = "0.1.0"
