"""Accepts Golomb rulers, and scores them by their length."""
import sys

input_file, answer_file, feedback = sys.argv[1:4]


def reject(why):
    for name in ("judgemessage.txt", "teammessage.txt"):
        with open(feedback + name, "w") as file:
            file.write(why + "\n")
    sys.exit(43)


m = int(open(input_file).read())
best = int(open(answer_file).read().split()[-1])
words = sys.stdin.read(10_000).split()
if len(words) != m:
    reject(f"{len(words)} marks instead of {m}")
if not all(word.isascii() and word.isdigit() and len(word) < 7 for word in words):
    reject("the marks are not whole numbers below a million")
marks = [int(word) for word in words]
if marks[0] != 0 or any(a >= b for a, b in zip(marks, marks[1:])):
    reject("the marks do not increase from 0")
seen = {}
for i, a in enumerate(marks):
    for b in marks[:i]:
        if a - b in seen:
            reject(f"{b} and {a} are as far apart as {seen[a - b][0]} and {seen[a - b][1]}")
        seen[a - b] = (b, a)
with open(feedback + "score_multiplier.txt", "w") as file:
    file.write(f"{min(1, best / marks[-1])}\n")
sys.exit(42)
