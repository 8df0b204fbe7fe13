#!/bin/sh
# Makes the captures in this folder again. Needs root, tcpdump, dumpcap and
# editcap, and python3. Each is made in a network namespace of its own, with
# packets of at most 1500 bytes: nothing else is captured, and nothing disturbed.
set -e
cd "$(dirname "$0")"

# make.sh inside FILE COMMAND...: what COMMAND captures while talk.py runs.
if [ "$1" = inside ]; then
	file=$2
	shift 2
	ip link set lo up mtu 1500
	rm -f "$file"
	"$@" -w "$file" 2>/dev/null &
	sleep 1.5
	python3 talk.py
	sleep 1
	kill -INT $!
	wait $! || true
	chown "$(id -u)" "$file"
	chmod 644 "$file"
	exit
fi
record() {
	unshare --net ./make.sh inside "$@"
}

record lo.pcap tcpdump -U -i lo
record lo-ns.pcap tcpdump -U -i lo --time-stamp-precision=nano
record any.pcap tcpdump -U -i any
record any-v1.pcap tcpdump -U -i any -y LINUX_SLL
record cut.pcap tcpdump -U -i lo -s 200
record lo.pcapng dumpcap -q -i lo
record two.pcapng dumpcap -q -i lo -i any

editcap -F pcapng lo-ns.pcap lo-ns.pcapng
editcap -F nsecpcap lo.pcapng from-pcapng-ns.pcap
gzip -9 -n -c lo.pcap > lo.pcap.gz
gzip -9 -n -c lo.pcapng > lo.pcapng.gz
editcap -F pcap -r lo.pcap middle.pcap 9-14 # in the middle of alice's connection
editcap -F pcap lo.pcap holes.pcap 8 10 28     # these packets are lost
chmod 644 *.pcap *.pcapng *.gz
