"""Codegen: a strategy per kind of dispatch carries executables to the loop level."""
