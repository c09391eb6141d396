"""Kernels: starting them under a guard, warm or cold, and stopping everything they left behind."""
