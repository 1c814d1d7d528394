"""FHIRPath: parse → translate to Python. `compiler/constraints.py` writes rules, `evaluation.py` answers queries.

Imports nothing of the compiler when loaded (the compiler imports it). No interpreter: what runs is generated Python.
"""
