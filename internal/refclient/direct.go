package refclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Types of packets. Those up to LOGOUT are the client's.
const (
	directLogin = 1 + iota
	directList
	directSendTo
	directLogout
	directListReply
	directResponse
	directDelivery
)

const (
	maxDirectName = 20             // characters
	maxDirectText = math.MaxUint16 // bytes, and so characters

	// maxDirectLine is more than any command needs: a text that is too long is
	// Bad message, and only what is beyond all measure a line too long.
	maxDirectLine = 1 << 20
)

// Direct is a client of the chat in which a user writes to one other. Every
// message is one packet over TCP, its numbers big-endian:
//
//	LOGIN    1, u8 name length, name
//	LIST     2
//	SENDTO   3, u8 name length, destination, u16 text length, text
//	LOGOUT   4
//	list     5, u16 count, count times u8 name length, name
//	RESPONSE 6, u8 result: 0 ok, 1 failure, 2 malformed packet
//	SENDTO   7, u8 name length, sender, u16 text length, text
//
// The first four are the client's, and each has one answer, a list or a
// RESPONSE. A Direct is plain data and may be run many times.
type Direct struct {
	Addr string // host:port of the server
}

// Run connects and then does what is typed:
//
//	login NAME        log in
//	list              show who is logged in, as "users (2): alice, bob"
//	sendto NAME TEXT  send TEXT to that user; it is all after one blank
//	logout            log out and stay
//	exit              leave, like the end of the input
//
// An answer is shown as Success or Failure, what others send as "name: text".
// Wrong parameters are answered with Bad username, Bad message or Invalid
// command, and nothing is sent then; the last is also for a word that is no
// command. All answers are shown in the order of the commands, unless the server
// takes long.
//
// Once the user leaves, Run shows what arrives until everything sent has been
// answered, or the server has been quiet for a second, and returns nil. It
// returns [ErrClosed] or [ErrReset] when the server goes first,
// [ErrInterrupted], and the cause of ctx when that is cancelled.
func (d Direct) Run(ctx context.Context, t *Terminal) error {
	var arrived packets
	s := &session{
		addr:     d.Addr,
		maxLine:  maxDirectLine,
		compose:  composePacket,
		answered: true,
		arrived: func(piece []byte) (texts []string, answers int, err error) {
			whole, err := arrived.add(piece)
			for _, p := range whole {
				texts = append(texts, p.String())
				if p.kind != directDelivery {
					answers++
				}
			}
			return texts, answers, err
		},
		partial: func() string {
			if len(arrived.rest) > 0 {
				return "packet"
			}
			return ""
		},
	}
	return s.run(ctx, t)
}

// What a user is told about a command that is not sent.
var (
	errBadUsername    = errors.New("Bad username")    //lint:ignore ST1005 these words are the protocol's
	errBadMessage     = errors.New("Bad message")     //lint:ignore ST1005 these words are the protocol's
	errInvalidCommand = errors.New("Invalid command") //lint:ignore ST1005 these words are the protocol's
)

// composePacket is the packet that a command sends, none for an empty line.
func composePacket(line string) ([]byte, error) {
	command, rest := cutWord(line)
	parameters := strings.Fields(rest)
	switch command {
	case "":
		return nil, nil
	case "login":
		if len(parameters) != 1 || !fitsName(parameters[0]) {
			return nil, errBadUsername
		}
		return appendName([]byte{directLogin}, parameters[0]), nil
	case "sendto":
		user, text := cutWord(rest)
		switch {
		case user == "" || text == "" || !fitsName(user):
			return nil, errBadUsername
		case len(text) > maxDirectText:
			return nil, errBadMessage
		}
		packet := appendName([]byte{directSendTo}, user)
		packet = binary.BigEndian.AppendUint16(packet, uint16(len(text)))
		return append(packet, text...), nil
	}
	if len(parameters) > 0 {
		return nil, errInvalidCommand
	}
	switch command {
	case "list":
		return []byte{directList}, nil
	case "logout":
		return []byte{directLogout}, nil
	case "exit":
		return nil, errLeft
	}
	return nil, errInvalidCommand
}

// cutWord cuts a line after its first word and the one blank behind it.
func cutWord(line string) (word, rest string) {
	line = strings.TrimLeftFunc(line, unicode.IsSpace)
	end := strings.IndexFunc(line, unicode.IsSpace)
	if end < 0 {
		return line, ""
	}
	_, blank := utf8.DecodeRuneInString(line[end:])
	return line[:end], line[end+blank:]
}

func fitsName(name string) bool { return utf8.RuneCountInString(name) <= maxDirectName }

func appendName(packet []byte, name string) []byte {
	packet = append(packet, byte(len(name)))
	return append(packet, name...)
}

// A packet is one message of the server.
type packet struct {
	kind   byte
	names  []string // a list's
	result byte     // a RESPONSE's
	user   string   // the sender of a SENDTO
	text   string
}

// String is what the user sees of the packet.
func (p packet) String() string {
	switch {
	case p.kind == directDelivery:
		return speaker(p.user) + ": " + p.text
	case p.kind == directListReply:
		return strings.TrimSuffix(fmt.Sprintf("users (%d): %s", len(p.names), strings.Join(p.names, ", ")), " ")
	case p.result == 0:
		return "Success"
	case p.result == 1:
		return "Failure"
	case p.result == 2:
		return "Failure: malformed packet"
	}
	return fmt.Sprintf("Failure: unknown result %d", p.result)
}

// packets puts packets together from bytes that arrive in any pieces. Its
// memory is what has arrived, never what a length claims.
type packets struct {
	rest []byte // the start of a packet
	list measured
	err  error
}

// add gives the packets that end in piece. An error is final, and comes with
// the packets before it.
func (d *packets) add(piece []byte) ([]packet, error) {
	if d.err != nil {
		return nil, d.err
	}
	var whole []packet
	d.rest = append(d.rest, piece...)
	unread := d.rest
	for {
		size, err := packetSize(unread, &d.list)
		if err != nil {
			d.rest, d.err = nil, err
			return whole, err
		}
		if size > len(unread) {
			break
		}
		whole = append(whole, decodePacket(unread[:size]))
		unread, d.list = unread[size:], measured{}
	}
	if len(unread) < len(d.rest) {
		d.rest = append(d.rest[:0], unread...)
	}
	return whole, nil
}

// measured is how much of a list is known, so that a long one that arrives
// slowly is not gone through from its start each time.
type measured struct {
	size  int // bytes, up to the first name that is not all there; 0 before its count is
	names int // that are not in size
}

// packetSize is how many bytes the packet has that b starts with. More than b
// has means that it is not all there, and has at least so many.
func packetSize(b []byte, list *measured) (int, error) {
	if len(b) == 0 {
		return 1, nil
	}
	switch b[0] {
	case directListReply:
		if len(b) < 1+2 {
			return 1 + 2, nil
		}
		if list.size == 0 {
			*list = measured{size: 1 + 2, names: int(binary.BigEndian.Uint16(b[1:]))}
		}
		for ; list.names > 0; list.names-- {
			if len(b) == list.size {
				return list.size + 1, nil
			}
			next := list.size + 1 + int(b[list.size])
			if len(b) < next {
				return next, nil
			}
			list.size = next
		}
		return list.size, nil
	case directResponse:
		return 1 + 1, nil
	case directDelivery:
		if len(b) < 1+1 {
			return 1 + 1, nil
		}
		text := 1 + 1 + int(b[1]) + 2
		if len(b) < text {
			return text, nil
		}
		return text + int(binary.BigEndian.Uint16(b[text-2:])), nil
	}
	return 0, fmt.Errorf("read packet: type %d is none that a server sends", b[0])
}

// decodePacket reads a packet that is all there.
func decodePacket(b []byte) packet {
	p := packet{kind: b[0]}
	switch p.kind {
	case directListReply:
		for names := b[1+2:]; len(names) > 0; {
			end := 1 + int(names[0])
			p.names = append(p.names, string(names[1:end]))
			names = names[end:]
		}
	case directResponse:
		p.result = b[1]
	case directDelivery:
		end := 1 + 1 + int(b[1])
		p.user, p.text = string(b[1+1:end]), string(b[end+2:])
	}
	return p
}
