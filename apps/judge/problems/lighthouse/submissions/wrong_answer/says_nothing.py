# Ends without a word.
input()
