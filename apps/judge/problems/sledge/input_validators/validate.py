"""Accepts exactly the inputs that the statement describes."""
import re
import sys

text = sys.stdin.read()
assert re.fullmatch(r"[1-9]\d* [1-9]\d*\n[1-9]\d*( [1-9]\d*)*\n", text), "format"
head, weights = text.splitlines()
n, w = map(int, head.split())
a = list(map(int, weights.split()))
assert len(a) == n and n <= {{max_n}}, "number of parcels"
assert w <= {{max_w}} and max(a) <= {{max_w}}, "bounds"
sys.exit(42)
