"""Clips: videos that are made or read, a class each."""
