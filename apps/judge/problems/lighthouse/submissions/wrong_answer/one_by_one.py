# Asks buoy after buoy, and is stopped at the thirty-first question.
n = int(input())
for buoy in range(n, 0, -1):
    print("?", buoy, flush=True)
    if input() == "here":
        print("!", buoy, flush=True)
        break
