"""A batch file as it was written: CSV, JSONL or YAML becomes a document."""
