#!/usr/bin/env bash
# Takes the pictures of docs/images anew: eng/screenshots.sh
# The browser tests leave them in artifacts/screenshots; pngquant makes them small.
set -euo pipefail
cd "$(dirname "$0")/.."
. eng/prerequisites.sh

require_dotnet
ensure_chromium
apt_install pngquant pngquant || die 'pngquant is not installed (apt-get install pngquant).'
rm -rf artifacts/screenshots
dotnet run --project tests/McpHa.Browser.Tests -c Release -- -class '*.DashboardTests'
mkdir -p docs/images
for picture in artifacts/screenshots/dashboard-*.png; do
  pngquant --force --strip --speed 1 --output "docs/images/$(basename "$picture")" 64 "$picture"
done
ls -l docs/images
