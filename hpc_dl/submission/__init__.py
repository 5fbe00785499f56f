"""From a plan to a job: what is recorded and submitted, with one file a backend."""
