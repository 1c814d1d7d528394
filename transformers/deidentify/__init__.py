"""transformers/deidentify"""
