"""The command line `snds-gateway`: declarations in `commands_*.py`, work in modules loaded when a command runs."""
