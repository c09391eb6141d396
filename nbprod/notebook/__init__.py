"""Notebooks: the document, its parameters, and its execution."""
