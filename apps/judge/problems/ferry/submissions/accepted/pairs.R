numbers <- scan(file("stdin"), quiet = TRUE)
w <- numbers[2]
a <- sort(numbers[-(1:2)])
light <- 1
heavy <- length(a)
trips <- 0
while (light <= heavy) {
  if (light < heavy && a[light] + a[heavy] <= w) light <- light + 1
  heavy <- heavy - 1
  trips <- trips + 1
}
cat(trips, "\n", sep = "")
