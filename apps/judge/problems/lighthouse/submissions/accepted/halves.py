low, high = 1, int(input())
while low < high:
    middle = (low + high) // 2
    print("?", middle, flush=True)
    answer = input()
    if answer == "here":
        low = high = middle
    elif answer == "further":
        low = middle + 1
    else:
        high = middle
print("!", low, flush=True)
