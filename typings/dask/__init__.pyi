"""What we use of dask, which declares itself typed and mostly is not."""
