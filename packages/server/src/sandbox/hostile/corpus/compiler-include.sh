# Has a compiler include a file in itself, twice, two hundred deep.
# expect: out-of-memory
printf '#include __FILE__\n#include __FILE__\n' > bomb.c
gcc -c bomb.c > /dev/null 2>&1
