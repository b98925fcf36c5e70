"""Where files are kept: a folder of the local disk."""
