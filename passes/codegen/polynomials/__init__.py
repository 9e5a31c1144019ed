"""The mathematical functions as polynomials, a module for each family; `expand_math` is the only caller.

Each family keeps its coefficients in a table by width of the float (32 or 64). They are relative minimax fits (Remez exchange at
50 digits, then rounded lowest first with the rest fitted again); a comment beside each says interval and error before rounding.
All of it is branch-free and without tables, and integers have the width of the float, so that LLVM's loop vectoriser turns the
scalar form into full vectors.
"""
