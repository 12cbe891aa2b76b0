# The question stays in the buffer, so both sides wait: stopped by the wall limit.
import sys

n = int(input())
sys.stdout.write("? 1\n")
answer = input()
print("! 1")
