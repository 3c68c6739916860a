"""x"""
CHANGES=()
