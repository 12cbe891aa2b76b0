"""Accepts exactly the inputs that the statement describes."""
import re
import sys

lines = sys.stdin.read()
assert re.fullmatch(r"[1-9]\d* [1-9]\d*\n[1-9]\d*( [1-9]\d*)*\n", lines), "format"
head, weights = lines.splitlines()
n, w = map(int, head.split())
a = list(map(int, weights.split()))
assert 1 <= n <= 200_000 and 1 <= w <= 10**9, "bounds"
assert len(a) == n, "number of weights"
assert max(a) <= w, "a traveller is too heavy"
sys.exit(42)
