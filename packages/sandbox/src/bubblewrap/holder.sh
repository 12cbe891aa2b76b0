# The holder of a session: a mount name space of its own, with the session's disk and its mounts.
#
# Everything that a session mounts is mounted in this name space only, so it is gone as soon as the
# holder is, however the node ended: the holder ends when its stdin closes.
#
# $1: an empty folder, over which the holder mounts. $2, $3: bytes and files of the disk.
# $4: the owner of the disk. Then source and number of each file or folder to show, in pairs.
set -e
folder=$1 size=$2 files=$3 owner=$4
shift 4
cd "$folder"
mount -t tmpfs -o "size=16m,mode=0711,nosuid,nodev" skein "$folder"
cd "$folder"
mkdir disk show
mount -t tmpfs -o "size=$size,nr_inodes=$files,mode=0700,uid=$owner,gid=$owner,nosuid,nodev" skein "$folder/disk"
mkdir disk/workspace disk/tmp
chown "$owner:$owner" disk/workspace disk/tmp
while [ $# -gt 0 ]; do
  if [ -d "$1" ]; then mkdir "show/$2"; else : > "show/$2"; fi
  mount --bind -- "$1" "show/$2"
  shift 2
done
echo held
exec cat > /dev/null
