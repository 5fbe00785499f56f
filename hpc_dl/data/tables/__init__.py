"""Tables: files, their columns, and what a network takes of a row."""
