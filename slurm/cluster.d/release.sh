# Slurm of another Debian release than this machine's: its packages, unpacked into a folder beside
# the system and run through their own loader and C library. Jobs stay on this machine's files and
# Python. A release is named as Debian names it. ROOT is its folder, empty for this machine's own.
# shellcheck shell=bash disable=SC2154  # SYSTEM_PATH and die come from slurm/cluster

RELEASES=${HPCDL_SLURM_RELEASES:-/var/cache/hpcdl-slurm}   # unpacked, for every start

own_release() { (. /etc/os-release && echo "${VERSION_CODENAME:-unknown}"); }

# use_release [NAME]: from here on, its programs are those that are called.
use_release() {
  RELEASE=${1:-$(own_release)}
  [[ $RELEASE =~ ^[a-z]+$ ]] || die "no Debian release is called '$RELEASE'"
  ROOT=""
  [[ $RELEASE == "$(own_release)" ]] || ROOT=$RELEASES/$RELEASE
  PATH=${ROOT:+$ROOT/usr/bin:$ROOT/usr/sbin:}$SYSTEM_PATH
}

install_release() {
  local new=$RELEASES/.$RELEASE
  [[ -n $ROOT && ! -e $ROOT ]] || return 0
  rm -rf "$new"   # what an interrupted one left
  download_release "$new"
  unpack_release "$new"
  rm -rf "$new/apt"
  mv -T "$new" "$ROOT"
}

# apt with folders of its own, and the belief that nothing is installed: it brings the libraries too.
download_release() {
  local mirror options packages=(slurmctld slurmd slurm-client slurmdbd)
  mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    sed -n "s/^$(own_release) //p" | head -n 1)
  [[ -n $mirror ]] || die "apt knows no mirror of Debian $(own_release)"
  mkdir -p "$1"/apt/{lists/partial,archives/partial}
  : >"$1/apt/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $RELEASE main" \
    >"$1/apt/sources.list"
  options=(-o Dir::Etc::sourcelist="$1/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$1/apt/lists" -o Dir::State::status="$1/apt/status"
    -o Dir::Cache::archives="$1/apt/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o APT::Install-Recommends=false -o APT::Sandbox::User=root -o Acquire::Retries=3)
  apt-get -q "${options[@]}" update
  apt-get -q "${options[@]}" install --yes --download-only "${packages[@]}"
}

# Slurm's programs find the libraries of their own release, whatever the system has.
unpack_release() {
  local package program loader libraries
  for package in "$1"/apt/archives/{lib,slurm}*.deb; do
    dpkg-deb --extract "$package" "$1"
  done
  libraries=$(dirname "$1"/usr/lib/*/slurm-wlm)
  loader=$(patchelf --print-interpreter "$1/usr/bin/sbatch")
  loader=$ROOT/usr/lib/${libraries##*/}/${loader##*/}
  for program in "$1"/usr/bin/s* "$1"/usr/sbin/slurm*; do
    patchelf --set-interpreter "$loader" --force-rpath \
      --set-rpath "$ROOT/usr/lib/${libraries##*/}:$ROOT/usr/lib/${libraries##*/}/slurm-wlm" "$program"
  done
  ln -sf slurmctld-wlm "$1/usr/sbin/slurmctld"
  ln -sf slurmd-wlm "$1/usr/sbin/slurmd"
  ln -sf slurmstepd-wlm "$1/usr/sbin/slurmstepd"
}
