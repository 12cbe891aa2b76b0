# FIFOs where the host reads and writes. A host that opened one would block for ever.
# expect: held
# after: put out.txt; collect fifo !; collect tree
mkfifo out.txt fifo
mkdir tree
mkfifo tree/fifo
echo fine > tree/fine
exit 0
