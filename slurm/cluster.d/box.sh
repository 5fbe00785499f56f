# Boxes: a daemon in a PID, mount and UTS namespace of its own, with its own host name and its own
# /etc/hosts. Killing a box's first process kills all that is in it, so pulling a node's plug and
# cleaning up are the same act. A box is known by the process id in run/NAME.pid.
# shellcheck shell=bash disable=SC2154  # DIR and HERE come from slurm/cluster

# box NAME COMMAND...: start a daemon, detached from the caller's terminal, descriptors and signals.
box() {
  local name=$1; shift
  # The variable tells our process from a stranger that got its number after a reboot.
  HPCDL_BOX=$DIR/$name HPCDL_BOX_ROOT=$ROOT setsid \
    unshare --pid --fork --kill-child --mount-proc --uts \
    "$HERE/cluster.d/init" "$name" "$DIR/etc/hosts" "$@" \
    </dev/null >>"$DIR/log/$name.out" 2>&1 9>&- &
  echo $! >"$DIR/run/$name.pid"
}

box_alive() {
  local pid
  pid=$(cat "$DIR/run/$1.pid" 2>/dev/null) || return 1
  grep -qzxF "HPCDL_BOX=$DIR/$1" "/proc/$pid/environ" 2>/dev/null
}

# box_of NAMESPACE: the box of this cluster that has this PID namespace.
box_of() {
  local file
  for file in "$DIR"/run/*.pid; do
    [[ $1 != "$(readlink "/proc/$(<"$file")/ns/pid_for_children")" ]] || { echo "${file##*/}"; return; }
  done
  return 1
}

box_dead() { ! box_alive "$1"; }

# Kills the box's init; the kernel kills the rest, and `unshare` ends when the last one is gone.
box_kill() {
  local pid init
  if box_alive "$1"; then
    pid=$(<"$DIR/run/$1.pid")
    read -r init <"/proc/$pid/task/$pid/children" || true   # nothing yet, just after the start
    kill -KILL "${init:-$pid}" 2>/dev/null || true
    wait_for 10 box_dead "$1" || die "$1 (process $pid) does not die"
  fi
  rm -f "$DIR/run/$1.pid"
}
