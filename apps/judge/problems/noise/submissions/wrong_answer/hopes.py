# Sends the bits as they are and hopes for a quiet night.
task, bits = input(), input()
if task == "send":
    print("".join(bits[i : i + 4] + "000" for i in range(0, len(bits), 4)))
else:
    print("".join(bits[i : i + 4] for i in range(0, len(bits), 7)))
