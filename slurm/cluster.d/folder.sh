# The state folder: everything that a cluster is, apart from its processes.
# shellcheck shell=bash disable=SC2154  # DIR, HERE, NODES, GPUS and CLIENTS come from slurm/cluster

check_folder() {
  # 80: a Unix socket's whole path may have 107 characters.
  [[ $DIR =~ ^[A-Za-z0-9/._+-]{2,80}$ ]] ||
    die "HPCDL_CLUSTER_DIR=$DIR must be short (80 characters) and plain (letters, digits, / . _ + -)"
  [[ ! -e $DIR || -O $DIR ]] || die "$DIR belongs to somebody else"
  [[ ! -e $DIR || -e $DIR/.hpcdl-cluster || -z $(ls -A "$DIR") ]] ||
    die "$DIR holds something else: empty it, or name another folder in HPCDL_CLUSTER_DIR"
}

# A block of ten free ports below the range that the kernel gives to clients.
free_ports() {
  local base offset
  for ((base = ${HPCDL_CLUSTER_PORT:-21000}; base < 32000; base += 10)); do
    for offset in {0..9}; do
      ! port_open $((base + offset)) || continue 2
    done
    echo "$base"
    return
  done
  die "no ten free ports in a row from ${HPCDL_CLUSTER_PORT:-21000} on"
}

# write_folder PORT: the first of the ten; slurmctld's, then slurmdbd's, then the nodes'.
write_folder() {
  umask 022
  mkdir -p "$DIR"/{bin,etc,run,log,state,spool,dev,db,munge}
  touch "$DIR/.hpcdl-cluster"
  chmod 755 "$DIR"
  chmod 700 "$DIR/db"
  head -c 1024 /dev/urandom >"$DIR/munge/munge.key"
  chmod 600 "$DIR/munge/munge.key"
  chown -R munge: "$DIR/munge"
  setpriv --reuid=munge --regid=munge --clear-groups test -x "$DIR/munge" ||
    die "other users must be able to enter $DIR: choose a folder under /tmp"
  write_devices
  write_programs
  write_configuration "$1"
}

write_devices() {
  local gpu
  for ((gpu = 0; gpu < GPUS; gpu++)); do
    mknod --mode=666 "$DIR/dev/nvidia$gpu" c 1 3   # the null device's numbers
  done
}

# The programs of the cluster's release, for the daemons' boxes and for its users' PATH.
write_programs() {
  local program
  # Debian's emulator packages put themselves in the daemons' place; the real ones end in -wlm. They
  # must be called by their plain names all the same: slurmctld crashes under any other.
  for program in slurmctld slurmd; do
    ln -s "$(command -v $program-wlm || command -v $program)" "$DIR/bin/$program"
  done
  for program in "${CLIENTS[@]}"; do
    ln -s "$(command -v "$program")" "$DIR/bin/$program"
  done
}

write_configuration() {
  local port=$1 file comment=""
  echo "$port" >"$DIR/run/port"
  echo "$RELEASE" >"$DIR/etc/release"
  # Torch's stores and gloo look up the name of the host they are on.
  { cat /etc/hosts; echo "127.0.0.1 $(hostname) slurmctld slurmdbd ${NODES[*]}"; } >"$DIR/etc/hosts"
  [[ ${PREEMPT_SIGNAL:-1} != 0 ]] || comment="#"
  for file in "$HERE"/cluster.d/etc/*.conf; do
    sed -e "s|@DIR@|$DIR|g" -e "s|@CTLD_PORT@|$port|" -e "s|@DBD_PORT@|$((port + 1))|" \
      -e "s|@NODE_PORTS@|[$((port + 2))-$((port + 1 + ${#NODES[@]}))]|" \
      -e "s|@PREEMPT_SIGNAL@|$comment|" "$file" >"$DIR/etc/${file##*/}"
  done
  [[ -z $ROOT ]] || sed -i "1i PluginDir=$(echo "$ROOT"/usr/lib/*/slurm-wlm)" "$DIR"/etc/slurm{,dbd}.conf
  chmod 600 "$DIR/etc/slurmdbd.conf"
}

# remove_all [keep]: kills every box and removes the folder, or all of it but the logs.
remove_all() {
  local file
  [[ -e $DIR/.hpcdl-cluster ]] || return 0
  for file in "$DIR"/run/*.pid; do
    [[ -e $file ]] || continue
    file=${file##*/}
    box_kill "${file%.pid}"
  done
  if [[ ${1:-} == keep ]]; then
    find "$DIR" -mindepth 1 -maxdepth 1 ! -name log ! -name .hpcdl-cluster -exec rm -rf {} +
    say "Logs: $DIR/log"
  else
    rm -rf "$DIR"
  fi
}
