#!/usr/bin/env bash
# How fast chatprobe decode is, and how much memory it takes: beside tshark with
# a dissector in Lua, and beside a reading written by hand for this protocol
# alone. The outputs are compared, too. It prints tables in markdown.
#
#   bash bench/decode.sh                  # a million messages, about ten minutes with tshark
#   bash bench/decode.sh -messages 50000 -rounds 1
#   bash bench/decode.sh -help
#
# TSHARK is the tshark to be used (default: the one in PATH, or none).
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
CGO_ENABLED=0 go build -o "$dir/chatprobe" ./cmd/chatprobe # pages of the C library would be counted as memory
go build -o "$dir/bench" ./bench/decode
"$dir/bench" -dir "$dir" -chatprobe "$dir/chatprobe" -tshark "${TSHARK-tshark}" "$@"
