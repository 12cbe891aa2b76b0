# Takes the heaviest parcel that still fits. Right where the choice does not matter.
n, w = map(int, input().split())
load = 0
for x in sorted(map(int, input().split()), reverse=True):
    if load + x <= w:
        load += x
print(load)
