package report

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// messageLines writes a line for each message.
func messageLines(w io.Writer, scene *Scene) Messages {
	var line []byte
	add := func(m *transcript.Decoded) error {
		line = AppendText(line[:0], m, scene.begin(m))
		_, err := w.Write(line)
		return err
	}
	return Messages{Add: add, Close: nothing}
}

// malformedBytes is how many bytes of what is no message stand in a line.
const malformedBytes = 24

// AppendText appends a message as one line that ends with a newline and holds
// no other control character. It is made for grep and awk; for programs that
// must get every value back there is JSON. The line is
//
//	NUMBER TIME SENDER RECEIVER NAME FIELD=VALUE FIELD=VALUE ...
//
// with one blank between two parts and none at the end:
//
//	3 0.003000 127.0.0.1:50001 127.0.0.1:4445 say UNameL=5 MessageL=5 Username="alice" Message="hello"
//	4 1.250000 127.0.0.1:4445 127.0.0.1:50001 malformed! reason="2 bytes are missing" length=3 bytes=00ff03
//
// The parts are these:
//
//   - TIME is what has passed since begin, in seconds with six decimals, of
//     which the last is cut and not rounded; "-" where the capture does not say.
//   - NAME is "?" where no message of the protocol fits, and "malformed!" where
//     the bytes are none; then the fields are the reason, the number of bytes,
//     and the first 24 of them in hexadecimal digits, with "+" behind them
//     where there are more.
//   - FIELD is the field's name. A number is written in decimal, a text in
//     double quotes, a list as its values in brackets with commas between them
//     and no blanks: [1,"two"].
//   - In a text stand characters that are printable, and escapes for all
//     others: \n \r \t \xNN \uNNNN, as [transcript.Printable] makes them. A
//     double quote is \", and backslashes that stand before a quote, or at the
//     end of the text, are doubled; so a quote closes the text if an even
//     number of backslashes is before it. Other backslashes are left alone.
//   - A field's note follows its value in parentheses, without a blank: 2(login).
func AppendText(dst []byte, m *transcript.Decoded, begin time.Time) []byte {
	dst = strconv.AppendInt(dst, int64(m.Number), 10)
	dst = append(dst, ' ')
	dst = transcript.AppendSeconds(dst, m.Time, begin)
	dst = append(dst, ' ')
	dst = append(dst, clean(m.Sender)...)
	dst = append(dst, ' ')
	dst = append(dst, clean(m.Receiver)...)
	switch {
	case m.Malformed != "":
		dst = append(dst, " "+malformedName+" reason="...)
		dst = transcript.AppendQuoted(dst, clean(m.Malformed))
		dst = append(dst, " length="...)
		dst = strconv.AppendInt(dst, int64(m.Bytes.Length), 10)
		dst = append(dst, " bytes="...)
		dst = hex.AppendEncode(dst, m.Bytes.Head[:min(len(m.Bytes.Head), malformedBytes)])
		if m.Bytes.Length > malformedBytes {
			dst = append(dst, '+')
		}
		return append(dst, '\n')
	case m.Name == "":
		dst = append(dst, " ?"...)
	default:
		dst = append(dst, ' ')
		dst = append(dst, clean(m.Name)...)
	}
	for _, f := range m.Fields {
		dst = append(dst, ' ')
		dst = append(dst, clean(f.Name)...)
		dst = append(dst, '=')
		dst = appendValue(dst, f.Value)
		if f.Note != "" {
			dst = append(dst, '(')
			dst = append(dst, clean(f.Note)...)
			dst = append(dst, ')')
		}
	}
	return append(dst, '\n')
}

// appendValue appends the value of a field.
func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return transcript.AppendQuoted(dst, clean(v))
	case uint64:
		return strconv.AppendUint(dst, v, 10)
	case float64: // a number that was read from JSON
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	case bool:
		return strconv.AppendBool(dst, v)
	case nil:
		return append(dst, "null"...)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, item)
		}
		return append(dst, ']')
	}
	return transcript.AppendQuoted(dst, clean(fmt.Sprint(v)))
}
