#!/usr/bin/env bash
# What does the package feed have? Sourced by ./run and ./test, from the root; run by itself it answers and writes the same file.
#
#   feed_prepare      sets FEED_LACKS to the groups that do not restore (Aspire Redis Telemetry Prometheus Bearer Browser; empty on a full feed), and writes
#                     or removes the root's Directory.Build.targets and Directory.Solution.targets accordingly
#   feed_lacks GROUP  true when that group does not restore
#
# The answer is kept in artifacts/feed until the package sources or the versions asked for change. FEED=probe asks again,
# FEED=full and FEED=basic set it by hand.

FEED_LACKS=''
FEED_FILE=artifacts/feed
FEED_GROUPS='Aspire Redis Telemetry Prometheus Bearer Browser'

feed_key() {
  { dotnet nuget list source --format short; cat Directory.Packages.props eng/basic-feed/Probe.csproj; } 2>/dev/null | cksum | tr ' ' '-'
}

# One restore per group, at the same time; a group is lacking when its restore fails.
feed_probe() {
  local group pids='' lacks=''
  mkdir -p artifacts/feed-probe
  for group in $FEED_GROUPS; do
    dotnet restore eng/basic-feed/Probe.csproj -p:Probe="$group" -p:MSBuildProjectExtensionsPath="$PWD/artifacts/feed-probe/$group/" \
      -p:RestoreIgnoreFailedSources=false -v quiet -nologo > "artifacts/feed-probe/$group.log" 2>&1 &
    pids="$pids $!"
  done
  set -- $pids
  for group in $FEED_GROUPS; do
    wait "$1" || lacks="$lacks $group"
    shift
  done
  printf '%s' "${lacks# }"
}

# Every group failed, and none of them because a package is missing: that is the network, not the feed.
feed_unreachable() {
  [ "$1" = "$FEED_GROUPS" ] && ! cat artifacts/feed-probe/*.log | grep -qE 'NU110[1-9]'
}

# Left alone when it says the same already.
feed_write() {
  [ "$(cat "$1" 2> /dev/null)" = "$2" ] || printf '%s\n' "$2" > "$1"
}

feed_marker() {
  if [ -z "$FEED_LACKS" ]; then
    rm -f Directory.Build.targets Directory.Solution.targets
    return
  fi
  local lacks head
  lacks=$(printf '%s' "$FEED_LACKS" | tr ' ' ';')
  head="<!-- Written by eng/feed.sh: what the package feed lacks. -->
<Project>
  <PropertyGroup>
    <FeedLacks>$lacks</FeedLacks>
  </PropertyGroup>"
  feed_write Directory.Build.targets "$head
  <Import Project=\"eng/basic-feed/BasicFeed.targets\" />
</Project>"
  feed_write Directory.Solution.targets "$head
  <Import Project=\"eng/basic-feed/BasicFeed.Solution.targets\" />
</Project>"
}

feed_lacks() {
  case " $FEED_LACKS " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

feed_missing_aspire() {
  [ "${FEED:-}" = basic ] && printf 'FEED=basic says that there is no Aspire' || printf 'this package feed has no Aspire %s' "$(feed_aspire_version)"
}

feed_aspire_version() {
  sed -n 's/.*"Aspire.Hosting.Redis" Version="\([^"]*\)".*/\1/p' Directory.Packages.props
}

feed_prepare() {
  local key
  mkdir -p artifacts
  key=$(feed_key)
  case "${FEED:-}" in
    full) FEED_LACKS='' ;;
    basic) FEED_LACKS=$FEED_GROUPS ;;
    *)
      if [ "${FEED:-}" != probe ] && [ "$(sed -n 1p "$FEED_FILE" 2>/dev/null)" = "$key" ]; then
        FEED_LACKS=$(sed -n 2p "$FEED_FILE")
      else
        FEED_LACKS=$(feed_probe)
        if feed_unreachable "$FEED_LACKS"; then
          echo 'The package feed cannot be reached:' >&2
          grep -hE 'NU1|error' artifacts/feed-probe/*.log | cut -c1-300 | sort -u | head -3 >&2
          FEED_LACKS=$(sed -n 2p "$FEED_FILE" 2>/dev/null || true)
        else
          printf '%s\n%s\n' "$key" "$FEED_LACKS" > "$FEED_FILE"
        fi
      fi ;;
  esac
  feed_marker
}

# Run, not sourced.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  cd "$(dirname "$0")/.."
  feed_prepare
  echo "The package feed lacks: ${FEED_LACKS:-nothing}"
fi
