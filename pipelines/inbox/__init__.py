"""An inbox: each batch file that is dropped there is made exactly once, and filed."""
