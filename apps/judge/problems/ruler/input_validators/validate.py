import re
import sys

text = sys.stdin.read()
assert re.fullmatch(r"[1-9]\d*\n", text) and 2 <= int(text) <= 20
sys.exit(42)
