"""Text."""

from __future__ import annotations

import numpy as np

from .model import case, strings

case("StringConcat", "20", "y = StringConcat(a, b)", a=strings("x", "", "é"), b=strings("1", "2", "3"))
case("StringSplit", "20", 'y, n = StringSplit <delimiter = ","> (x)', x=strings("a,b", "c"), by="reference")
case(
    "StringNormalizer",
    "10",
    'y = StringNormalizer <case_change_action = "UPPER", stopwords = ["b"], is_case_sensitive = 1> (x)',
    x=strings("a", "b", "c"),
)
case("RegexFullMatch", "20", 'y = RegexFullMatch <pattern = "a+b"> (x)', x=strings("aab", "aabc"), want=lambda x: np.array([True, False]))
NGRAMS = 'mode = "TF", min_gram_length = 1, max_gram_length = 2, max_skip_count = 0, ngram_counts = [0, 2], ngram_indexes = [0, 1, 2]'
case("TfIdfVectorizer", "9", f"y = TfIdfVectorizer <{NGRAMS}, pool_int64s = [2, 3, 5, 4]> (x)", x=np.int64([2, 5, 4, 2, 3]))
