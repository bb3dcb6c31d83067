"""Writes the test vectors from NumPy.

usage: .venv/bin/python tests/vectors/make_vectors.py
"""

from contract_vectors import contract
from control_flow_vectors import control_flow
from divergence_vectors import divergence
from error_vectors import errors
from random_vectors import random_numbers

FILES = [random_numbers, contract, divergence, errors, control_flow]


if __name__ == "__main__":
    for make in FILES:
        f = make()
        f.path.write_text(f.text())
