import re
import sys

text = sys.stdin.read()
assert re.fullmatch(r"[1-9]\d* [1-9]\d*\n", text), "format"
n, ship = map(int, text.split())
assert 1 <= ship <= n <= 10**9, "bounds"
sys.exit(42)
