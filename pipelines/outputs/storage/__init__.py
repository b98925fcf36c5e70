"""Keep files: in a folder of the local disk."""
