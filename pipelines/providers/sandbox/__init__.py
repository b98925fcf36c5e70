"""The embedded simulator: a real HTTP server that speaks the vendors' contracts and keeps its own bill.

It is the oracle of the tests and of rehearsals, so it shares no code with the clients. `process.py` starts it from
Python, `python -m pipelines.providers.sandbox` from a shell. An order walks through `door.py` (who knocks, what is to
go wrong), a dialect (`openai_videos.py`, `acedata.py`), `desk.py` (the sale) and `bill.py` (the durable line). What is
asked later is answered from `life.py` (the state at a moment) and `render.py` (the file).
"""
