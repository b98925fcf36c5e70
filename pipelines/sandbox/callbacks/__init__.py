"""Callbacks as the vendors send them."""
