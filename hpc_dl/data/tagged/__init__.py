"""Sentences whose words have tags, such as those of named entities, and what is made of them."""
