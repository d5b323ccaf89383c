"""The spaces' networks in torch, which ``space.build`` imports when it is asked for one."""
