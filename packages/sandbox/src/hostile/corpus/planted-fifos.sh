# FIFOs where the host reads and writes: who opens one waits for ever.
# expect: held
# after: put out.txt; collect fifo !; collect tree
mkfifo out.txt fifo
mkdir tree
mkfifo tree/fifo
echo fine > tree/fine
exit 0
