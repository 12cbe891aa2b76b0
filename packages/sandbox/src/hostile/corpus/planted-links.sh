# Symbolic links where the host writes and reads next.
# expect: held
# after: collect dir !; collect loop !; collect out.txt !; put out.txt; put dir/in.txt; put loop/in.txt; collect dir; collect out.txt
ln -sf "$CANARY_FILE" out.txt
ln -sfn "$(dirname "$CANARY_FILE")" dir
ln -sfn loop loop
ln -sfn / root
ln -s /proc/self/root/etc/passwd passwd
exit 0
