#!/bin/bash
# Runs the two commands of the README, `npm start` and `npm test`, as a newcomer does: on a Debian 12 with Node, npm,
# build-essential and python3 and nothing else, from a fresh copy of what is committed. That machine is a folder, made
# with debootstrap from this machine's own Debian sources; it becomes the root, and its file systems are mounted, in a
# namespace, which ends with this script however that ends. Needs root (or sudo), debootstrap and git.
#   scripts/bare-machine.sh             what `.ci/run` does first
#   scripts/bare-machine.sh -- COMMAND  runs this in the machine instead, in the copy: for a look at a failure
# Debian is kept in .cache/bare for the next time; Node, npm and npm's settings are those of this machine.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The recipe of what is kept: a change here makes it anew.
suite=bookworm
packages=build-essential,python3

say() { echo "bare-machine: $*"; }
fail() {
  echo "bare-machine: $*" >&2
  exit 1
}

# Prints "URI keyring" for each of this machine's apt sources that has the suite; the keyring may be missing.
debian_sources() {
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ -r "$file" ] || continue
    case $file in
      *.sources)
        awk -v RS= -v suite="$suite" '
          { delete field
            count = split($0, lines, "\n")
            for (i = 1; i <= count; i++)
              if (match(lines[i], /^[A-Za-z-]+:/)) {
                value = substr(lines[i], RLENGTH + 1)
                gsub(/^[ \t]+|[ \t]+$/, "", value)
                field[tolower(substr(lines[i], 1, RLENGTH - 1))] = value
              }
            if (field["enabled"] == "no" || (" " field["types"] " ") !~ / deb /) next
            if (index(" " field["suites"] " ", " " suite " ") == 0) next
            split(field["uris"], uri, /[ \t]+/)
            print uri[1], field["signed-by"]
          }' "$file"
        ;;
      *.list)
        awk -v suite="$suite" '
          $1 == "deb" {
            keyring = ""
            at = 2
            if ($2 ~ /^\[/) {
              while (at <= NF) {
                option = $at
                gsub(/[][]/, "", option)
                if (sub(/^signed-by=/, "", option)) keyring = option
                if ($(at++) ~ /\]$/) break
              }
            }
            if ($(at + 1) == suite) print $at, keyring
          }' "$file"
        ;;
    esac
  done
}

# In namespaces of mounts and processes, which end with this script: killed, too.
isolated() {
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child "$@"
}

# Unpacks Debian into the folder $1, from .cache/bare when the same was made before.
unpack_debian() {
  local root=$1 arch recipe kept mirror keyring work
  arch=$(dpkg --print-architecture)
  recipe=$(echo "$suite minbase $packages $arch" | sha256sum | cut -c 1-16)
  kept=$repository/.cache/bare/$suite-$recipe.tar
  if [ ! -e "$kept" ]; then
    read -r mirror keyring < <(debian_sources) || fail "no apt source of this machine has $suite"
    [ -r "${keyring:-}" ] || keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    work=$(dirname "$root")/debootstrap
    say "making $suite with $packages"
    isolated debootstrap --variant=minbase --include="$packages" \
      --keyring="$keyring" "$suite" "$work" "$mirror" >"$work.log" 2>&1 || {
      tail -n 20 "$work.log" >&2
      fail "debootstrap failed"
    }
    rm -rf "$work"/var/cache/apt/archives/*.deb "$work"/var/lib/apt/lists/*
    mkdir -p "$repository/.cache/bare"
    rm -f "$repository"/.cache/bare/*
    tar --one-file-system -C "$work" -cf "$kept.new" .
    mv "$kept.new" "$kept"
    rm -rf --one-file-system "$work"
    say "made $suite: ${SECONDS} s"
  fi
  mkdir "$root"
  tar -C "$root" -xf "$kept"
}

# Copies Node and npm of this machine to the same places below $1: its binary, its headers, npm, and nothing else.
copy_node() {
  local root=$1 node npm prefix
  node=$(node -p process.execPath)
  npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  prefix=$(dirname "$(dirname "$node")")
  [ "$(basename "$npm")" = npm ] && [ -d "$npm/node_modules" ] || fail "npm is not one folder, as Node's own is: $npm"
  mkdir -p "$root$prefix/bin" "$root$prefix/include" "$root$prefix/lib/node_modules"
  cp "$node" "$root$prefix/bin/node"
  cp -r "$npm" "$root$prefix/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root$prefix/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root$prefix/bin/npx"
  [ ! -d "$prefix/include/node" ] || cp -r "$prefix/include/node" "$root$prefix/include/"
  path=$prefix/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  chroot "$root" /usr/bin/env -i PATH="$path" node --version >/dev/null ||
    fail "Node of this machine does not run on $suite"
}

# How this machine reaches the npm registry: names, npm's settings, certificates. Sets `environment`, which has no CI in
# it: a newcomer's `npm test` repeats a case less often.
copy_settings() {
  local root=$1 user global file name
  for file in /etc/resolv.conf /etc/hosts; do
    [ ! -e "$file" ] || cp -L --remove-destination "$file" "$root$file"
  done
  user=$(cd / && npm config get userconfig)
  global=$(cd / && npm config get globalconfig)
  [ ! -e "$user" ] || cp -L "$user" "$root/root/.npmrc"
  for file in "$global" "$(cd / && npm config get cafile)" /etc/ssl/certs/ca-certificates.crt \
    "${NODE_EXTRA_CA_CERTS:-}" "${SSL_CERT_FILE:-}"; do
    [ ! -f "$file" ] || { mkdir -p "$root$(dirname "$file")" && cp -L "$file" "$root$file"; }
  done
  environment=(PATH="$path" HOME=/root TERM=dumb)
  for name in $(compgen -e); do
    case ${name,,} in
      no_color | node_extra_ca_certs | ssl_cert_file | http_proxy | https_proxy | no_proxy | \
        npm_config_registry | npm_config_cafile | npm_config_proxy | npm_config_https_proxy | npm_config_noproxy | \
        npm_config_update_notifier)
        environment+=("$name=${!name}")
        ;;
    esac
  done
}

# Isolated: mounts what a running machine has in its root $1, and runs the rest there. Not by chroot() alone, after
# which the kernel makes no user namespaces.
inside() {
  local root=$1 status=0 process sockets left=
  shift
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --bind /dev "$root/dev"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  # shellcheck disable=SC2016
  unshare --mount bash -c 'cd "$0" && pivot_root . mnt && exec chroot . /bin/sh -c "$@"' "$root" \
    'umount -l /mnt && exec env -i "$@"' - "$@" || status=$?
  for process in "$root"/proc/[0-9]*; do
    [ "${process##*/}" = 1 ] || left+=$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null)
  done
  [ -z "$left" ] || fail "processes were left behind: $left"
  sockets=$(find "$root/tmp" -type s)
  [ -z "$sockets" ] || fail "sockets were left behind: $sockets"
  exit "$status"
}

# A command in the machine, in the copy.
there() {
  isolated bash "$repository/scripts/bare-machine.sh" --inside "$root" \
    "${environment[@]}" bash -c 'cd /root/rx-vhost && exec "$@"' - "$@"
}

# Without a compiler, and without what it built, `npm start` names the packages to install.
names_the_packages() {
  local status=0
  find "$root/usr/bin" -regextype posix-extended -regex '.*/(.*g\+\+.*|.*gcc.*|cc|c\+\+|g?make|python3.*)' -delete
  mv "$copy/native/build" "$work/built"
  there npm start >"$work/without" 2>&1 || status=$?
  cat "$work/without"
  [ "$status" != 0 ] && grep -q 'apt-get install build-essential python3' "$work/without"
}

# Then with a binary of these sources, as the package has it.
runs_on_a_binary() {
  local binary
  binary=prebuilds/$(node -p 'process.platform + "-" + process.arch')/rx_vhost.node
  mkdir -p "$copy/$(dirname "$binary")"
  cp "$work/built/Release/rx_vhost.node" "$copy/$binary"
  there node --input-type=module -e "
    import { sourcesHash, stamp } from './scripts/native-sources.mjs'
    stamp('$binary', sourcesHash())" && there npm start -- --frames 100000
}

# Counts as a test: `.ci/run` reads TAP.
check() {
  local name=$1 begun=$SECONDS
  shift
  if "$@"; then
    echo "ok: $name ($((SECONDS - begun)) s)"
  else
    echo "not ok: $name ($((SECONDS - begun)) s)"
    failed=1
  fi
}

main() {
  if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
  fi
  [ "$(id -u)" = 0 ] || exec sudo -n --preserve-env "$0" "$@"
  local program
  for program in debootstrap git unshare setpriv pivot_root; do
    command -v "$program" >/dev/null || fail "$program is needed: apt-get install debootstrap git util-linux"
  done

  work=$(mktemp -d)
  trap 'rm -rf --one-file-system "$work"' EXIT
  root=$work/root
  copy=$root/root/rx-vhost
  environment=()
  failed=0
  unpack_debian "$root"
  copy_node "$root"
  copy_settings "$root"
  mkdir "$copy"
  git -C "$repository" -c safe.directory='*' archive HEAD | tar -x -C "$copy"
  say "ready after $SECONDS s: Debian $(cat "$root/etc/debian_version"), Node $(node --version), $packages"

  if [ "${1:-}" = -- ]; then
    shift
    there "$@"
    exit
  fi
  check 'npm start on a bare machine' there npm start
  check 'npm test on a bare machine' there npm test -- --tap
  check 'npm start without a compiler names the packages to install' names_the_packages
  check 'npm start without a compiler runs on a binary that was built elsewhere' runs_on_a_binary
  say "all of it took $SECONDS s"
  exit "$failed"
}

main "$@"
