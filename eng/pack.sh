#!/usr/bin/env bash
# Packs everything that is published: eng/pack.sh [--no-build] [--output FOLDER] [VERSION]
#   --no-build   packs what "dotnet build -c Release" has built, as PACK_NO_BUILD=1 in the environment does
#   --output     folder of the packages, by default artifacts/packages
#   VERSION      such as 1.2.3-mine.4, instead of the repository's own
set -euo pipefail
cd "$(dirname "$0")/.."
. eng/prerequisites.sh

out=$PWD/artifacts/packages
properties=()
# Built apart, so that programs which run are not touched. Paths of this machine stay out of the symbols.
build=(--artifacts-path artifacts/pack)
[ ! -e .git ] || build+=(-p:ContinuousIntegrationBuild=true)
[ -z "${PACK_NO_BUILD:-}" ] || build=(--no-build)
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,5s/^# //p' "$0"; exit 0 ;;
    --no-build) build=(--no-build) ;;
    --output) out=$(mkdir -p "$2" && cd "$2" && pwd); shift ;;
    *) properties+=("-p:Version=$1") ;;
  esac
  shift
done
require_dotnet
rm -rf "${out:?}"/*

dotnet pack eng/packages.slnf -c Release "-p:PackageOutputPath=$out" -v quiet -nologo "${build[@]}" ${properties[@]+"${properties[@]}"}
dotnet pack eng/template -c Release "-p:PackageOutputPath=$out" -v quiet -nologo "-p:PackedLibraries=$out" ${properties[@]+"${properties[@]}"}

# NuGet would use what it has unpacked of the same version earlier.
unpacked=$(dotnet nuget locals global-packages --list --force-english-output | sed 's/^global-packages: *//')
for package in "$out"/*.nupkg; do
  name=$(basename "$package" .nupkg | tr '[:upper:]' '[:lower:]')
  id=$(printf '%s' "$name" | sed -E 's/\.[0-9]+\.[0-9]+\.[0-9]+([.-].*)?$//')
  rm -rf "${unpacked:?}/$id/${name#"$id".}"
done
ls "$out"
