#!/usr/bin/env bash
# Whether every scenario has the same verdict every time: all suites are played
# N times against the built-in servers, in an order of its own each time, while
# something else keeps every processor busy; and then 16 times at once. Prints a
# line for each suite, and the scenarios whose verdict changed with their seeds.
# Exits with 1 if there are any, or if a scenario does not pass.
#
#   bash bench/stability.sh          # a hundred rounds, about ten minutes
#   bash bench/stability.sh 5
#   BUSY=0 bash bench/stability.sh   # without anything that keeps processors busy
#
# BUSY is how many endless loops there are (default: one for each processor).
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-100}
together=16
dir=$(mktemp -d)
loops=()
players=()
cleanup() {
	kill "${loops[@]}" "${players[@]}" 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
go build -o "$dir/chatprobe" ./cmd/chatprobe
for ((i = 0; i < ${BUSY-$(nproc)}; i++)); do
	(while :; do :; done) &
	loops+=($!)
done

# play SEED plays everything once, in at most ten minutes. A run that ends early
# leaves no report.
play() {
	local status=0
	timeout --foreground 600 "$dir/chatprobe" run --shuffle --seed "$1" --report junit="$dir/$1.xml" >"$dir/$1.out" 2>&1 || status=$?
	if [ ! -s "$dir/$1.xml" ]; then
		echo "seed $1: exit status $status" >&2
		tail -n 5 "$dir/$1.out" >&2
	fi
	rm "$dir/$1.out"
}

for ((seed = 1; seed <= rounds; seed++)); do
	play "$seed"
done
for ((seed = rounds + 1; seed <= rounds + together; seed++)); do
	play "$seed" &
	players+=($!)
done
wait "${players[@]}"

python3 - "$dir" "$rounds" "$together" <<'PYTHON'
import collections, os, sys
import xml.etree.ElementTree as ET

folder, rounds, together = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
verdicts = collections.defaultdict(lambda: collections.defaultdict(list))  # (suite, scenario) -> verdict -> [(seed, reason)]
lost = []
for seed in range(1, rounds + together + 1):
    try:
        report = ET.parse(os.path.join(folder, f"{seed}.xml"))
        for case in report.iter("testcase"):
            name, verdict, reason = case.get("name"), "pass", ""
            for kind, word in ("error", "error"), ("failure", "fail"), ("skipped", "skip"):
                for found in case.iter(kind):
                    verdict, reason = word, found.get("message") or ""
            verdicts[case.get("classname").partition(".")[0], name][verdict].append((seed, reason))
    except (FileNotFoundError, ET.ParseError):
        lost.append(seed)
bad = bool(lost) or not verdicts
for suite in dict.fromkeys(suite for suite, _ in verdicts):
    mine = {name: found for (s, name), found in verdicts.items() if s == suite}
    changed = {name: found for name, found in mine.items()
               if len(found) > 1 or sum(map(len, found.values())) != rounds + together - len(lost)}
    failed = sum(1 for found in mine.values() if found.keys() - {"pass", "skip"})
    bad = bad or bool(changed) or failed > 0
    text = f"{suite}: {len(mine)} scenarios × ({rounds} rounds + {together} at once): "
    print(text + (f"{len(changed)} changed their verdict" if changed else "one verdict each")
          + (f", {failed} did not pass" if failed else ""))
    for name, found in changed.items():
        print(f"  {name}: " + ", ".join(f"{len(plays)} {verdict}" for verdict, plays in found.items()))
        rarest = min(found, key=lambda verdict: len(found[verdict]))
        for seed, reason in found[rarest][:5]:
            print(f"    {rarest} with --seed {seed}: {reason}")
if lost:
    print("no result with seeds", *lost)
sys.exit(bad)
PYTHON
