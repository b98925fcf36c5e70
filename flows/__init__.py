"""What a person runs: the campaign flow and the command line. No HTTP, no parsing, no model or error class."""
