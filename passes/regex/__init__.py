"""Regular expressions in RE2's syntax, compiled to automata over the bytes of UTF-8: no pattern makes matching slow."""

from .automaton import Automaton, Simulation, compile_pattern, compile_search
from .syntax import PatternError

__all__ = ["Automaton", "PatternError", "Simulation", "compile_pattern", "compile_search"]
