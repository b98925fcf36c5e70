"""What was asked, paid and received, durably: the only truth. Must not know HTTP or Prefect.

A transaction is a plain function over a connection; `Ledger.write` runs it in the ledger's own thread:
`await ledger.write(attempts.claim, ...)`.
"""
