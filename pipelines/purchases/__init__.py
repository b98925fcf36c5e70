"""What was bought from this machine, whatever ledger it stands in: the second net against buying the same again."""
