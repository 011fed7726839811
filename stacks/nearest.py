"""The word that was most likely meant. Pure."""

import difflib
import re
from collections.abc import Iterable


def closest(word: str, words: Iterable[str]) -> str | None:
    """The word that was most likely meant: other capitals or separators, else the nearest spelling."""
    words = list(words)
    if same := same_letters(word, words):
        return same
    # Of two short words most are alike by chance.
    return next(iter(difflib.get_close_matches(word[:100], words, n=1, cutoff=0.6 if len(word) > 4 else 0.75)), None)


def same_letters(word: str, words: Iterable[str]) -> str | None:
    """The word with the same letters and digits, whatever its capitals and separators: `max_model_len` is maxModelLen."""
    bare = re.sub(r"[\W_]", "", word).lower()
    return next((one for one in words if re.sub(r"[\W_]", "", one).lower() == bare), None)
