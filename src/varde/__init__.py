"""Varde: real-time "customers also" recommendations that are exact, explainable and erasable."""
