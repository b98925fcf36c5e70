"""The embedded simulator: a real HTTP server that speaks the vendors' contracts and keeps its own bill.

It is the oracle of the tests and of rehearsals, so it shares neither code nor data with the clients; only a server
that nobody but its operator knows is played from the operator's own profile (`custom.py`, `custom_ace.py`).
`process.py` starts it from Python, `python -m pipelines.sandbox` from a shell. An order walks through
`door.py` (who knocks, what is to go wrong), a contract (`openai_videos.py` in the words of `dialects.py`, `acedata.py`,
`qiniu_veo.py`, `qiniu_queue.py`), `state.py` (the sale) and `bill.py` (the durable line). What is asked later is
answered from `life.py` (the state at a moment) and `render.py` (the file).
"""
