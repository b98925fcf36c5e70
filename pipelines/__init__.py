"""The path of a prompt to a catalogued video, in plain async Python.

One room per station; the rooms are listed in docs/architecture.md. Nothing here imports Prefect.
"""
