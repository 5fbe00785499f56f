"""What the user wants: typed, strict, and with the positions of everything in the file."""
