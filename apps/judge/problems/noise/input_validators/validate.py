import re
import sys

text = sys.stdin.read()
match = re.fullmatch(r"send\n([01]+)\n", text)
assert match, "format"
assert len(match[1]) % 4 == 0 and 4 <= len(match[1]) <= 4000, "length"
sys.exit(42)
