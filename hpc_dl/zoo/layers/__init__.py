"""Layers of which several architectures are built."""
