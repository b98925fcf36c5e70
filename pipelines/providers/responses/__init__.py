"""Answers, read: external JSON, and what it means for the money and for the job. Pure."""
