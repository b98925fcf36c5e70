"""The embedded simulator: a real HTTP server that speaks the vendors' contracts and keeps its own bill.

It is the oracle of the tests and of rehearsals, so it shares neither code nor data with the clients; only a server
that nobody but its operator knows is played from the operator's own profile (`vendors/from_profile/`).
`process.py` starts it from Python, `python -m pipelines.sandbox` from a shell. An order walks through
`http/endpoint.py` (who asks, what is to go wrong), a contract (`vendors/`), `orders/state.py` (the sale) and
`orders/bill.py` (the durable line). What is asked later is answered from `orders/life.py` (the state at a moment) and
`media/render.py` (the file). What the vendors' models and services take is data: the YAML files beside their code.
A mark such as [A1] or [O7] names the vendor's page or the public code that a line follows.
"""
