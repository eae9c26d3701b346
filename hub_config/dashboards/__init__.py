"""Published dashboards: what is published, and the keeper that runs them while somebody looks."""
