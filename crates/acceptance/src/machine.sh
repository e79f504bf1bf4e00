# A machine with systemd as its first process, on a copy of this one's files that nobody else sees.
#
# Usage: bash machine.sh FOLDER, in a sandbox; what FOLDER/root holds is put over the copy.

set -euo pipefail
folder=$1
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
cp -r "$folder/root/." /mnt/root/
# Without a name it would be a new machine, on which systemd enables whatever is installed.
tr -d - </proc/sys/kernel/random/uuid >/mnt/root/etc/machine-id
# It has control groups of its own, whether those are one tree or several; the sandbox removes them.
for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    if [[ -e $tree/cgroup.procs ]]; then
        group=$tree/$(basename "$folder")
        mkdir "$group"
        echo $$ >"$group/cgroup.procs"
    fi
done
exec systemd-nspawn --quiet --boot --directory=/mnt/root --bind="$folder" --private-network \
    --register=no --keep-unit --machine=boxyard --console=pipe -- --unit=basic.target
