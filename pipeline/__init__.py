"""The steps that the Makefile puts in order: fetch, fingerprint, run, pack, render, report."""
