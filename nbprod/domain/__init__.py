"""Frozen values, enums and pure rules: what nbprod speaks of, with the standard library alone.

Every value that crosses a floor is a frozen, keyword-only dataclass from here. Change is ``dataclasses.replace`` and
one store call that says what it expected to find.
"""
