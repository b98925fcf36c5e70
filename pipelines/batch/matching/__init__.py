"""Rows are matched with the modes of a provider: mode, size, images, parameters."""
