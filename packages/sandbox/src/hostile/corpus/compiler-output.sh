# Has a compiler write an object file of 16 GiB for one line: it gets as far as a file may grow.
# expect: exit 3
echo 'int main[-1u] = {1};' > bomb.c
gcc -c bomb.c && exit 0
find . -size +8192k -exec echo ESCAPED {} \;
exit 3
