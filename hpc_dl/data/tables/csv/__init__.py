"""CSV files: their text, dialect, names of columns, and numbers."""
