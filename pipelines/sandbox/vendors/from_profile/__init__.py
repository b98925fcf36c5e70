"""Servers that only their operator knows, played as their profile describes them."""
