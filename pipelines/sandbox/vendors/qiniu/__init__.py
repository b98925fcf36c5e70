"""Qiniu's second and third protocol."""
