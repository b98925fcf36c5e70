"""What the columns of a batch file mean."""
