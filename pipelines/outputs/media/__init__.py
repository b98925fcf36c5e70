"""Measure a clip: whole or not, how long, how large, and as it was ordered or not."""
