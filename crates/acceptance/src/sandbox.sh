# A sandbox: namespaces in which daemons and clients run, and that take all of it with them when they end.
#
# Usage: bash -c SCRIPT sandbox CGROUP FOLDER machine|private
#
# It prints the number of its first process, holds until its input ends, which the end of the test process is as
# well, and then removes the control groups and the folder.

# The first process. Its folders are private where programs write whatever they are told to keep elsewhere.
inside() {
    set -e
    # This /proc is still the machine's, so it knows the number that others see.
    read -r pid _ </proc/self/stat
    mount -t proc proc /proc
    # A network of its own begins with its loopback interface down.
    if [[ $network == private ]]; then ip link set lo up; fi
    for folder in /run /dev/shm /var/lib; do
        mount -t tmpfs tmpfs "$folder"
    done
    mkdir -p /run/lock
    for folder in /etc /usr/local/share; do
        mkdir -p "/run/over$folder/upper" "/run/over$folder/work"
        mount -t overlay -o "lowerdir=$folder,upperdir=/run/over$folder/upper,workdir=/run/over$folder/work" overlay "$folder"
    done
    echo "$pid"
    read -r _ || true
}

cgroup=$1
folder=$2
network=$3
options=(--mount --pid --fork)
if [[ $network == private ]]; then options+=(--net); fi
export -f inside
export network
unshare "${options[@]}" bash -c inside
find /sys/fs/cgroup -depth -type d -path "*/$cgroup*" -exec rmdir {} +
rm -rf -- "$folder"
