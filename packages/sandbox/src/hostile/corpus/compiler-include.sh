# Has a compiler include a file in itself, twice, two hundred deep: it would never end.
# expect: cpu-limit
printf '#include __FILE__\n#include __FILE__\n' > bomb.c
gcc -c bomb.c > /dev/null 2>&1
