"""What an answer means: for the money, for the job, and as external JSON. Pure."""
