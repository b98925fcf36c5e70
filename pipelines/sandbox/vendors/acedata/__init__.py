"""Ace Data Cloud: sora and its sister services."""
