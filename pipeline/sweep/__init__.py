"""Chapters over grids of parameters, on this machine's cores or on a Dask cluster."""
