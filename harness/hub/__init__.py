"""Bringing data and weights here: from the hub that hosts them, checked, or not at all.

names: of repositories and folders.  catalogue: what can be fetched, and where it is put.  listing:
the files of a repository with their sizes and digests.  transfer: one file, resumed and verified.
fetch: all of it.
"""
