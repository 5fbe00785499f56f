"""From a job spec, a site and data facts to a plan: pure functions, but for loading the site."""
