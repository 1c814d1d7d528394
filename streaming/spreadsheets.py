"""Bytes of a text file that a hospital's spreadsheet or PMSI software saved → text. Pure."""

from __future__ import annotations


def text_of(content: bytes) -> str:
    """Return the text: UTF-8, with or without a mark, else the Windows code page that French exports have."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
