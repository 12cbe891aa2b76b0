# Has a compiler expand a macro to eight to the twelfth words.
# expect: out-of-memory
{
  echo '#define a0 "xxxxxxxx"'
  for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
    b=a$((n - 1))
    echo "#define a$n $b $b $b $b $b $b $b $b"
  done
  echo 'char *bomb = a12;'
} > bomb.c
gcc -c bomb.c
