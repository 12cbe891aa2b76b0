local n, w = io.read("n", "n")
local a = {}
for i = 1, n do
  a[i] = io.read("n")
end
table.sort(a)
local light, heavy, trips = 1, n, 0
while light <= heavy do
  if light < heavy and a[light] + a[heavy] <= w then
    light = light + 1
  end
  heavy = heavy - 1
  trips = trips + 1
end
print(trips)
