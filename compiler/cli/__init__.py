"""The command line: `intaglio compile | run | bench | info | check`; main.py is where it starts, one module a command."""
