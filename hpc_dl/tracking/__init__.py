"""From the journal to MLflow: the run folder is the truth, the store the view people look at."""
