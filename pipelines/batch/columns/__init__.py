"""The columns of a batch file and their meanings."""
