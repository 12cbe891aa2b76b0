n, w = gets.split.map(&:to_i)
a = gets.split.map(&:to_i).sort
light = trips = 0
heavy = n - 1
while light <= heavy
  light += 1 if light < heavy && a[light] + a[heavy] <= w
  heavy -= 1
  trips += 1
end
puts trips
