#!/usr/bin/env bash
# Packs everything that is published into artifacts/packages: eng/pack.sh [version]
#   version   instead of the repository's own, for example 1.2.3-mine.4
set -euo pipefail
cd "$(dirname "$0")/.."
. eng/prerequisites.sh

case "${1:-}" in -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;; esac
require_dotnet

out=$PWD/artifacts/packages
rm -rf "$out"

# Paths of this machine stay out of the symbols; without git there is nothing to map them to.
properties=()
[ ! -e .git ] || properties+=(-p:ContinuousIntegrationBuild=true)
[ -z "${1:-}" ] || properties+=("-p:Version=$1")

# Built apart: nothing that runs from a project's own bin is touched.
for project in src/Mcp.HighAvailability src/Mcp.HighAvailability.Redis src/Mcp.HighAvailability.Balancer eng/template; do
  [ -e "$project" ] || continue
  dotnet pack "$project" -c Release -o "$out" --artifacts-path artifacts/pack -v quiet -nologo "${properties[@]}"
done

# NuGet would go on taking what it has unpacked of the same version earlier.
unpacked=$(dotnet nuget locals global-packages --list --force-english-output | sed 's/^global-packages: *//')
for package in "$out"/*.nupkg; do
  name=$(basename "$package" .nupkg | tr '[:upper:]' '[:lower:]')
  id=$(printf '%s' "$name" | sed -E 's/\.[0-9]+\.[0-9]+\.[0-9]+([.-].*)?$//')
  rm -rf "${unpacked:?}/$id/${name#"$id".}"
done
ls "$out"
