"""How the ledger is kept: tables, commits that reach the disk, and one writer at a time."""
