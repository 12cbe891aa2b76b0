# The same below a directory that is collected as a whole.
# expect: held
# after: collect tree
mkdir -p tree/inner
echo fine > tree/inner/fine
ln -s "$CANARY_FILE" tree/link
ln -s / tree/root
ln -s .. tree/inner/up
ln -s tree tree/self
exit 0
