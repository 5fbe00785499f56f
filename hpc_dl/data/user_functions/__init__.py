"""What a user's function returns, called and checked."""
