"""Rows become jobs: orders, fallbacks, remixes."""
