import sys

n = int(input())
print("?", n, flush=True)
input()
sys.exit(3)
