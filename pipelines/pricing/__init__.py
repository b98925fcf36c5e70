"""Prices of jobs and batches, before and while they are paid for. Knows price lists and budgets, and no HTTP."""
