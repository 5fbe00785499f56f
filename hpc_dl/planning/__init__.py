"""From what the user wants and what the site has to a plan: pure functions, no disk."""
