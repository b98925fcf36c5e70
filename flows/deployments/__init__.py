"""Deployments of the flows: what `reelbatch deploy` writes down in a Prefect server."""
