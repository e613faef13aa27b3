"""A stub: Beam stages the pipeline's code with `--setup_file ./setup.py`; pyproject.toml holds everything."""

from setuptools import setup

setup()
