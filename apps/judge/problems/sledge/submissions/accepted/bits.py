n, w = map(int, input().split())
reachable = 1
for x in map(int, input().split()):
    reachable |= reachable << x
    reachable &= (1 << (w + 1)) - 1
print(reachable.bit_length() - 1)
