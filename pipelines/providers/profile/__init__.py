"""A provider as data: the model of a profile, where profiles come from, and what is wrong with one."""
