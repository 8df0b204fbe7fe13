#!/bin/sh
# ngircd on port $1, with its configuration in folder $2: many clients from one
# address, no penalty for those who are quick.
cat > "$2/$1.conf" <<X
[Global]
Name = irc.example.net
Info = test
Listen = 127.0.0.1
Ports = $1
ServerUID = 65534
ServerGID = 65534
MotdPhrase = welcome
[Limits]
MaxConnections = 500
MaxConnectionsIP = 0
MaxPenaltyTime = 0
[Options]
DNS = no
Ident = no
PAM = no
X
exec ngircd -n -f "$2/$1.conf"
