"""Pace submissions, status queries and downloads: numbers and clocks. Must not know what a job is, nor Prefect."""
