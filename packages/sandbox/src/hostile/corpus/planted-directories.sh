# Directories in place of files, files in place of directories, and one that is closed to its owner.
# expect: held
# after: put out.txt !; put file/in.txt ?
mkdir -p out.txt/inner
echo x > file
mkdir closed
echo secret > closed/file
chmod 000 closed
exit 0
