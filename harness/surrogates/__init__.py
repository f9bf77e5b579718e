"""What is under test: one small file per family of surrogates."""
