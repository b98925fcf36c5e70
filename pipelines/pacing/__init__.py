"""Who may submit, poll or download now. Must not know what a job is, nor Prefect."""
