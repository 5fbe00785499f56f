"""Texts with a class each, from any form of files: words by a vocabulary of the training split, or
the letters of DNA. Light."""
