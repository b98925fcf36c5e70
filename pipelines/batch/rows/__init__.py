"""The values of one row: defaults, templates, ids, names of files."""
