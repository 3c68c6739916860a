"""Coverage-guided fuzz targets; a short seeded run of each is part of the tests."""
