"""The scripts of the seed documents, run as they stand: cut from the documents at run time.

No text of the seeds is kept here. Where their folder is absent these tests skip and say so.
"""
