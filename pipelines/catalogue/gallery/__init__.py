"""The gallery: one page that shows every clip, offline."""
