"""The one process that may start sandboxes: named profiles, checked parameters, nothing else."""
