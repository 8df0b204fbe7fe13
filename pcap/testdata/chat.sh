#!/bin/sh
# Makes the captures of real protocol traffic in chat/ again: chatprobe plays
# some scenarios of a suite against the reference server, and tcpdump or dumpcap
# listens. Needs root, go, tcpdump, dumpcap, gzip and zstd. Each is made in a
# network namespace of its own, with packets of at most 1500 bytes.
#
# `./chat.sh framed-room.pcap` makes that one alone.
#
# What is made by damaging these is made by `go test ./pcap -run TestDamaged -update`.
set -e
cd "$(dirname "$0")"

# chat.sh inside FILE SUITE PORT "SCENARIO..." COMMAND...: what COMMAND captures while the scenarios are played.
if [ "$1" = inside ]; then
	file=$2 suite=$3 port=$4 scenarios=$5
	shift 5
	ip link set lo up mtu 1500
	host=127.0.0.1
	case $file in *ipv6*) host='[::1]' ;; esac
	"$bin/refserver" "$suite" --listen "$host:$port" >"$bin/server.log" &
	server=$!
	rm -f "$file"
	"$@" -w "$file" 2>/dev/null &
	capture=$!
	sleep 1.5
	set --
	for s in $scenarios; do set -- "$@" --scenario "$s"; done
	"$bin/chatprobe" run "$suite" --target "$host:$port" --seed 1 "$@" || true
	sleep 1
	kill -INT $capture $server
	wait $capture || true
	chown "$(id -u):$(id -g)" "$file"
	chmod 644 "$file"
	exit
fi

bin=$(mktemp -d)
export bin
trap 'rm -rf "$bin"' EXIT
(cd ../.. && go build -o "$bin" ./cmd/chatprobe ./cmd/refserver)

only=$1 # so that one of them can be made alone
record() {
	[ -z "$only" ] || [ "chat/$only" = "$1" ] || return 0
	unshare --net ./chat.sh inside "$@"
}

framed() { name=$1 scenarios=$2; shift 2; record "chat/framed-$name" framed 4445 "$scenarios" "$@"; }
lines() { name=$1 scenarios=$2; shift 2; record "chat/lines-$name" lines 54307 "$scenarios" "$@"; }
direct() { name=$1 scenarios=$2; shift 2; record "chat/direct-$name" direct 4446 "$scenarios" "$@"; }
datagram() { name=$1 scenarios=$2; shift 2; record "chat/datagram-$name" datagram 4447 "$scenarios" "$@"; }

framed room.pcap 'two-clients-chat every-other-* heard-once arrival-* name-in-use-* return-is-*' tcpdump -U -i lo
framed pieces.pcap 'message-in-two-parts* *-byte-by-byte frame-split* two-senders-* *-in-one-segment one-and-a-half-*' tcpdump -U -i lo --time-stamp-precision=nano
framed leaving.pcapng 'cut-off-message reset-* close-* crash-*' dumpcap -q -i lo
framed any.pcap 'text-in-* text-is-* zero-* huge-* another-protocol long-name lengths-*' tcpdump -U -i any
framed ipv6.pcap 'two-clients-chat name-in-another-* long-text[[]size=4097]' tcpdump -U -i lo

lines room.pcap 'two-clients-chat conversation good-registration-* name-in-use-* first-*' tcpdump -U -i lo
lines pieces.pcapng '*-byte-by-byte line-end-* two-senders-* *-in-one-segment one-and-a-half-* *-together' dumpcap -q -i lo
lines leaving.pcap 'goodbye-ends-* name-is-free-* crash-* others-go-on-after-close' tcpdump -U -i any -y LINUX_SLL
lines texts.pcap 'text-in-* text-is-* empty-text special-* another-protocol words-* malformed-registration-is-*' tcpdump -U -i lo

direct room.pcap 'list-names* *-once private-text names-* nobody-*' tcpdump -U -i lo
direct pieces.pcap 'text-packet-in-two-parts* login-byte-by-byte private-texts-of-* *-in-one-segment one-and-a-half-* cut-off-login' tcpdump -U -i lo
direct malformed.pcapng 'malformed-* length-* another-protocol text-is-not-utf8' dumpcap -q -i lo -i any
direct ipv6.pcap 'logout-* text-of-any-length[[]size=1025]' tcpdump -U -i any

datagram room.pcap 'two-clients-chat every-* greeting-makes-* address-*' tcpdump -U -i lo
datagram texts.pcap 'blanks-belong-* text-in-* zero-bytes-belong-* short-* long-garbage-*' tcpdump -U -i lo
datagram other.pcapng 'garbage-of-* stranger-harms-nobody another-protocol' dumpcap -q -i lo
datagram ipv6.pcap 'two-clients-chat text-in-* sender-*' tcpdump -U -i any

gzip -9 -n -c chat/framed-leaving.pcapng > chat/framed-leaving.pcapng.gz
zstd -19 -q -c chat/lines-room.pcap > chat/lines-room.pcap.zst
