"""Tests of trio_backend/tokenwire_trio."""
