"""Check that the parts of a profile agree with each other, before any order is made by it."""
