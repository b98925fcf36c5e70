"""Every byte in and out: the one owner of httpx, how connections are made, which addresses may be opened."""
