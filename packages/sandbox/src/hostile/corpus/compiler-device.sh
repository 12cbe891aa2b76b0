# Has a compiler read a file that never ends.
# expect: out-of-memory
echo '#include "/dev/zero"' > bomb.c
gcc -c bomb.c
