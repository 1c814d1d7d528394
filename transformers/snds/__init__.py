"""transformers/snds"""
