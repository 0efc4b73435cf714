#!/usr/bin/env bash
# Writes the public API of the libraries into src/*/PublicAPI.Unshipped.txt: eng/public-api.sh
# What a released version has is in PublicAPI.Shipped.txt: move the lines there with a release.
set -euo pipefail
cd "$(dirname "$0")/.."
. eng/prerequisites.sh
require_dotnet

for shipped in src/*/PublicAPI.Shipped.txt; do
  project=$(dirname "$shipped")
  printf '#nullable enable\n' > "$project/PublicAPI.Unshipped.txt"
  dotnet build "$project" -c Release --artifacts-path artifacts/api -nologo -v quiet > artifacts/api.log 2>&1 || { cat artifacts/api.log; exit 1; }
  { printf '#nullable enable\n'; sed -n "s/.* warning RS0016: Symbol '\(.*\)' is not part of the declared public API.*\[.*$(basename "$project").csproj\]$/\1/p" artifacts/api.log | LC_ALL=C sort -u; } \
    > artifacts/api.txt
  mv artifacts/api.txt "$project/PublicAPI.Unshipped.txt"
  say "$project: $(($(wc -l < "$project/PublicAPI.Unshipped.txt") - 1)) members"
done
