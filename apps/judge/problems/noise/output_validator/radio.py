"""The radio: takes the bits that are sent, turns some over, and compares what was understood."""
import sys

input_file, answer_file, feedback = sys.argv[1:4]


def end(code, message):
    with open(feedback + "judgemessage.txt", "a") as file:
        file.write(message + "\n")
    sys.exit(code)


with open(input_file) as file:
    task, bits = file.read().split()
with open(answer_file) as file:
    message, noise = file.read().split()

output = sys.stdin.read().split()
if len(output) != 1 or set(output[0]) - {"0", "1"}:
    end(43, f"{task}: the output is not one line of bits")
given = output[0]

if task == "send":
    if len(given) != len(message) // 4 * 7:
        end(43, f"send: {len(given)} bits instead of {len(message) // 4 * 7}")
    # Digit i of the noise says which bit of block i is turned over; 7 leaves it alone.
    arrived = list(given)
    for block, digit in enumerate(noise):
        if digit != "7":
            at = 7 * block + int(digit)
            arrived[at] = "10"[int(arrived[at])]
    with open(feedback + "nextpass.in", "w") as file:
        file.write("receive\n" + "".join(arrived) + "\n")
    end(42, "sent")

if given != message:
    end(43, "receive: the message was not understood")
end(42, "received")
