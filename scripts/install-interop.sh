#!/bin/bash
# Gets what the interop tests need, from the machine's own Debian sources. Safe to run again.
#   scripts/install-interop.sh              packages (as root), then downloads
#   scripts/install-interop.sh --downloads  only what goes into .cache/interop: a kernel for the guests, and on
#                                           Debian 12 the QEMU of its backports beside the installed one
# Nothing of the system's apt configuration is changed: the downloads use a list and a cache of their own.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cache=$root/.cache/interop
say() { echo "install-interop: $*"; }

install_packages() {
  if [ "$(id -u)" != 0 ]; then
    say "installing packages needs root" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # testpmd is in dpdk-dev since 22.11.11, in dpdk before; the drivers are libraries of libdpdk-dev's.
  apt-get install -y -qq --no-upgrade --no-install-recommends \
    dpdk-dev libdpdk-dev qemu-system-x86 busybox-static cpio gcc libc6-dev linux-libc-dev procps util-linux tshark \
    tcpdump iproute2 python3-minimal
  command -v dpdk-testpmd >/dev/null || apt-get install -y -qq dpdk
}

# apt with lists and archives of its own, under .cache; its first argument names a file of sources.
private_apt() {
  local sources=$1 state=$cache/apt
  shift
  mkdir -p "$state/lists/partial" "$state/archives/partial"
  apt-get -qq -o "Dir::Etc::sourcelist=$sources" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$state/lists" \
    -o "Dir::Cache=$state" -o "Dir::Cache::archives=$state/archives" \
    -o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@"
}

# Unpacks the newest kernel of linux-image-cloud-amd64 (a meta package) into .cache/interop/kernel.
fetch_kernel() {
  [ -e "$cache/kernel/complete" ] && return
  local image work
  image=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
  if [ -z "$image" ]; then
    say "no linux-image-cloud-amd64 in the package lists: apt-get update" >&2
    exit 1
  fi
  say "downloading $image"
  work=$(mktemp -d "$cache/kernel.XXXXXX")
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$image" && dpkg -x ./*.deb . && rm ./*.deb)
  touch "$work/complete"
  rm -rf "$cache/kernel"
  mv "$work" "$cache/kernel"
}

# Prints the machine's own sources for the suite $1, with the suite replaced by $1-backports.
backports_sources() {
  local suite=$1 file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ -r "$file" ] || continue
    case $file in
      *.sources)
        awk -v RS= -v suite="$suite" '$0 ~ "(^|\n)Suites:([^\n]*[ \t])?" suite "([ \t\n]|$)" { print $0 "\n" }' "$file" |
          sed "s/^Suites:.*/Suites: $suite-backports/; s/^Types:.*/Types: deb/"
        ;;
    esac
  done
}

backports_list() {
  local suite=$1 file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -r "$file" ] || continue
    sed -nE "s/^(deb[ \t]+(\[[^]]*\][ \t]+)?[^ \t]+[ \t]+)$suite([ \t])/\1$suite-backports\3/p" "$file"
  done
}

# Unpacks the QEMU of backports, and whatever it needs that is not installed, into .cache/interop/qemu-backports.
fetch_qemu_backports() {
  [ -e "$cache/qemu-backports/complete" ] && return
  local suite sources work deb
  suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  if [ "$suite" != bookworm ]; then
    say "this is not Debian 12: the installed QEMU is tested alone"
    return
  fi
  sources=$cache/backports.sources
  backports_sources "$suite" >"$sources"
  if [ ! -s "$sources" ]; then
    sources=$cache/backports.list
    backports_list "$suite" >"$sources"
  fi
  if [ ! -s "$sources" ]; then
    say "found no source of $suite to derive $suite-backports from" >&2
    exit 1
  fi
  say "downloading qemu-system-x86 of $suite-backports"
  private_apt "$sources" update
  private_apt "$sources" -t "$suite-backports" install -y --no-install-recommends --download-only --reinstall \
    qemu-system-x86
  work=$(mktemp -d "$cache/qemu.XXXXXX")
  for deb in "$cache"/apt/archives/*.deb; do dpkg -x "$deb" "$work"; done
  touch "$work/complete"
  rm -rf "$cache/qemu-backports" "$cache/apt" "$sources"
  mv "$work" "$cache/qemu-backports"
}

[ "${1:-}" = --downloads ] || install_packages
mkdir -p "$cache"
fetch_kernel
fetch_qemu_backports
touch "$cache/complete"
say "ready"
