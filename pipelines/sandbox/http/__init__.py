"""The server: routes, requests, answers."""
