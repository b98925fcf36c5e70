"""What an answer means: for the money, for the job, and as JSON that a stranger wrote. Pure."""
