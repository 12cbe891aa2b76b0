n, w = map(int, input().split())
a = sorted(map(int, input().split()))
light, heavy, trips = 0, n - 1, 0
while light <= heavy:
    if light < heavy and a[light] + a[heavy] <= w:
        light += 1
    heavy -= 1
    trips += 1
print(trips)
