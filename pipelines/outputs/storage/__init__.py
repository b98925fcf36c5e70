"""Keep files: in a folder of the local disk, and in a bucket."""
