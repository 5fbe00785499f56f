"""Sentences and their translations: files of lines, and the sources that read them."""
