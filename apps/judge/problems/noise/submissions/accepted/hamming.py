from functools import reduce

# The parity of the positions of all ones is 0 in a codeword, and else the position of the error.
DATA = (3, 5, 6, 7)


def parity(block):
    return reduce(lambda x, y: x ^ y, (i for i in range(1, 8) if block[i]), 0)


task, bits = input(), [int(c) for c in input()]
out = []
if task == "send":
    for start in range(0, len(bits), 4):
        block = [0] * 8
        for position, bit in zip(DATA, bits[start : start + 4]):
            block[position] = bit
        error = parity(block)
        for i in (1, 2, 4):
            block[i] = 1 if error & i else 0
        out += block[1:]
else:
    for start in range(0, len(bits), 7):
        block = [0] + bits[start : start + 7]
        error = parity(block)
        if error:
            block[error] ^= 1
        out += [block[i] for i in DATA]
print("".join(map(str, out)))
