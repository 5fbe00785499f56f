# The daemons, each in its box, in the order they need each other.
# shellcheck shell=bash disable=SC2154  # DIR, HERE and NODES come from slurm/cluster

start_all() {
  start_munge
  start_mariadb
  start_slurmdbd
  box slurmctld "$DIR/bin/slurmctld" -D
  start_nodes "${NODES[@]}"
  wait_for 30 nodes_idle "${NODES[@]}"
}

start_munge() {
  box munged setpriv --reuid=munge --regid=munge --clear-groups munged --foreground \
    --key-file="$DIR/munge/munge.key" --socket="$DIR/munge/munge.socket" \
    --seed-file="$DIR/munge/munged.seed" --pid-file="$DIR/munge/munged.pid"
  wait_for 10 munge -n -S "$DIR/munge/munge.socket"
}

start_mariadb() {
  local mariadbd=(mariadbd --no-defaults --user=root --datadir="$DIR/db/data"
    --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=0)
  # What mariadb-install-db would do; it comes with a package ten times as large.
  mkdir -p "$DIR/db/data/mysql"
  { printf '%s\n' "use mysql;" "SET @auth_root_socket=NULL;" "SET @skip_auth_anonymous=1;"
    cat /usr/share/mysql/mysql_system_tables{,_data}.sql
  } | "${mariadbd[@]}" --bootstrap >"$DIR/log/mariadb-bootstrap.out" 2>&1
  # 900 s for a lock: slurmdbd complains about less.
  box mariadbd "${mariadbd[@]}" --socket="$DIR/db/socket" --skip-networking \
    --innodb-lock-wait-timeout=900 --init-file="$HERE/cluster.d/accounting.sql"
  wait_for 20 test -S "$DIR/db/socket"
}

start_slurmdbd() {
  MYSQL_UNIX_PORT=$DIR/db/socket box slurmdbd slurmdbd -D
  wait_for 20 port_open "$(($(<"$DIR/run/port") + 1))"
  client sacctmgr -i add cluster hpcdl >>"$DIR/log/sacctmgr.out" 2>&1
}

start_nodes() {
  local node
  for node in "$@"; do
    box "$node" "$DIR/bin/slurmd" -D -N "$node"
  done
}

nodes_idle() {
  local nodes=$*
  [[ $(client sinfo -h -N -n "${nodes// /,}" -o %T | sort -u) == idle ]]
}
