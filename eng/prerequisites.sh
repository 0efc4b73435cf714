#!/usr/bin/env bash
# What the two commands need on the machine. Sourced by ./run and ./test, from the root.

say() { printf '%s\n' "$*"; }

die() { printf '%s\n' "$*" >&2; exit 1; }

have() { command -v "$1" > /dev/null 2>&1; }

require_dotnet() {
  local wanted
  wanted=$(sed -n 's/.*"version": *"\([^"]*\)".*/\1/p' global.json)
  have dotnet || die "The .NET SDK is missing: install version $wanted or later of .NET ${wanted%%.*} from https://dot.net/download."
  # Where no installed SDK satisfies global.json, this fails.
  dotnet --version > /dev/null 2>&1 || die "The .NET SDK $wanted or later of .NET ${wanted%%.*} is needed (global.json). Installed:
$(dotnet --list-sdks 2> /dev/null || true)
Get it from https://dot.net/download."
  export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_CLI_WORKLOAD_UPDATE_NOTIFY_DISABLE=1
}

# apt_install COMMAND PACKAGE...: true when the command is there afterwards.
apt_install() {
  local command=$1 sudo=''
  shift
  have "$command" && return 0
  have apt-get || return 1
  if [ "$(id -u)" != 0 ]; then
    have sudo && sudo -n true 2> /dev/null || return 1
    sudo='sudo -n'
  fi
  say "Installing $* with apt."
  # RUNLEVEL=1: the package must not start a server of its own.
  local install="$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends"
  { $install "$@" || { $sudo apt-get update -qq && $install "$@"; }; } > /dev/null 2>&1 || true
  have "$command"
}

# Debian keeps nginx off the PATH of ordinary users.
have_nginx() { have nginx || [ -x /usr/sbin/nginx ]; }

ensure_nginx() {
  have_nginx || apt_install nginx nginx || have_nginx && return 0
  say 'nginx is not installed (apt-get install nginx, brew install nginx).'
  return 1
}

ensure_chromium() {
  apt_install chromium chromium && return 0
  say 'chromium is not installed (apt-get install chromium).'
  return 1
}

ensure_redis() {
  apt_install redis-server redis-server && return 0
  say 'redis-server is not installed. Install it with one of'
  say '  sudo apt-get install redis-server'
  say '  brew install redis'
  say '  sudo dnf install redis'
  return 1
}
