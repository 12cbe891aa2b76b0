# Pairs neighbours in sorted order, which wastes light travellers on each other.
n, w = map(int, input().split())
a = sorted(map(int, input().split()))
trips = i = 0
while i < n:
    i += 2 if i + 1 < n and a[i] + a[i + 1] <= w else 1
    trips += 1
print(trips)
