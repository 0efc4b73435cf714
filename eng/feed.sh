#!/usr/bin/env bash
# What does the package feed have? Sourced by ./run and ./test, from the root.
#
#   feed_prepare      sets FEED_LACKS to the groups that do not restore (Aspire Redis Telemetry; empty on a full feed), and writes
#                     or removes the root's Directory.Build.targets accordingly
#
# The answer is kept in artifacts/feed until the package sources or the versions asked for change. FEED=probe asks again,
# FEED=full and FEED=basic set it by hand.

FEED_FILE=artifacts/feed
FEED_GROUPS='Aspire Redis Telemetry'

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

feed_marker() {
  if [ -z "$FEED_LACKS" ]; then
    rm -f Directory.Build.targets
    return
  fi
  local content
  content="<!-- Written by eng/feed.sh. The package feed lacks: $FEED_LACKS -->
<Project>
  <PropertyGroup>
    <FeedLacks>$(printf '%s' "$FEED_LACKS" | tr ' ' ';')</FeedLacks>
  </PropertyGroup>
  <Import Project=\"eng/basic-feed/BasicFeed.targets\" />
</Project>"
  # Left alone when it says the same already: a newer file would make every project restore again.
  [ "$(cat Directory.Build.targets 2>/dev/null)" = "$content" ] || printf '%s\n' "$content" > Directory.Build.targets
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
