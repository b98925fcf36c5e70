"""A batch file as it was written: CSV, Excel, JSONL or YAML becomes a document."""
