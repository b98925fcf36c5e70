"""One upstream API behind one protocol; what differs between providers is a data file in `profiles/`.

Must not know the ledger or Prefect.
"""
