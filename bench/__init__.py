"""Benchmarks: side by side in one go with what users would pick instead; medians and ratios.

They run by hand (`python bench/startup.py`), use public tools only and are never a test's pass or
fail. What a peer needs comes from the package index: `pip install -e '.[bench]'`.
"""
